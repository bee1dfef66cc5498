/* What the pages of records do by script: cards that move, values changed where they stand, both versions of a conflict. */
"use strict";

/* Changes that go by script: the answer is the row as it is now, or both versions when somebody else was quicker. */
async function change(place, fields) {
  const response = await fetch(place, {
    method: "POST", body: new URLSearchParams(fields),
    headers: { "HX-Request": "true", "X-CSRF-Token": document.body.dataset.csrf ?? "" },
  }).catch(() => null);
  const heard = response?.headers.get("HX-Trigger"), onward = response?.headers.get("HX-Redirect");
  const told = heard ? JSON.parse(heard).toast : null, html = response ? await response.text() : "";
  if (onward) location.assign(onward);
  if (response?.status === 412 && html) {
    const dialog = document.getElementById("conflict");
    dialog.innerHTML = html;
    const next = dialog.querySelector("[name=next]");
    next.value = location.pathname + location.search;
    dialog.querySelector("a.button").href = next.value;
    // Escape leaves the row as it is now, and the page shall show it so.
    dialog.oncancel = () => location.assign(next.value);
    tellTimes();
    dialog.showModal();
  }
  const made = document.createElement("template");
  if (response?.ok) made.innerHTML = html;
  return { ok: response?.ok ?? false, conflict: response?.status === 412, row: made.content.firstElementChild, told };
}
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  form.querySelectorAll("[data-once]").forEach((button) => setTimeout(() => { button.disabled = true; }));
  if (!form.dataset.renew) return;
  event.preventDefault();
  const button = form.querySelector("button"), row = form.closest(form.dataset.renew);
  button.disabled = true;
  const answer = await change(form.action, new FormData(form));
  if (answer.told) toast(answer.told.message, answer.told.tone);
  button.disabled = false;
  if (!answer.ok || !answer.row) return;
  row.replaceWith(answer.row);
  tellTimes();
  answer.row.querySelector("[data-renew] button")?.focus();
});

/* The board: cards move by dragging, by a menu, and with Shift and an arrow. */
const columnOf = (card) => card.closest(".column");
const columns = () => [...document.querySelectorAll("#board .column")];
const cardsOf = (column) => [...column.querySelectorAll(".idea")];
function put(card, column, before = null) {
  const from = columnOf(card), list = column.querySelector(".cards");
  for (const [place, step] of [[from, -1], [column, 1]]) {
    const count = place.querySelector(".count");
    count.textContent = (Number(count.textContent.replaceAll(",", "")) + step).toLocaleString("en");
  }
  list.insertBefore(card, before?.parentElement === list ? before : list.firstElementChild);
}
async function move(card, status) {
  const from = columnOf(card), to = document.getElementById(`in-${status}`), after = card.nextElementSibling;
  if (!to || to === from) return;
  const focused = card.contains(document.activeElement);
  moves += 1;
  put(card, to);
  if (focused) card.querySelector(".idea-title").focus();
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (card.classList.contains("moving")) { underway.set(card.id, status); return; }
  await save(card, status, from, after);
  catchUp();
}
/* Where cards go that are on their way already: the last word counts. */
const underway = new Map();
async function save(card, status, from, after) {
  const board = document.getElementById("board"), title = card.querySelector(".idea-title").textContent;
  const focused = card.contains(document.activeElement);
  card.classList.add("moving");
  const answer = await change(`/console/save/idea?id=${encodeURIComponent(card.dataset.id)}`, { status, seen: card.dataset.seen, was: card.dataset.was });
  moves += 1;
  card.classList.remove("moving");
  const shown = document.getElementById(card.id), next = underway.get(card.id);
  underway.delete(card.id);
  if (answer.ok && answer.row) {
    const refocus = shown?.contains(document.activeElement) || document.activeElement === document.body && focused;
    shown?.replaceWith(answer.row);
    if (refocus) answer.row.querySelector(".idea-title").focus();
    if (next) { await save(answer.row, next, document.getElementById(`in-${status}`), null); return; }
    const name = document.querySelector(`#in-${status} .name`).textContent;
    toast(board.dataset.moved.replace("{0}", title).replace("{1}", name), "good");
  } else {
    if (shown === card) put(card, from, after);
    if (focused && !answer.conflict) card.querySelector(".idea-title").focus();
    toast(answer.told?.message ?? board.dataset.stayed.replace("{0}", title), "bad");
  }
}
let moves = 0, dragged = null, missed = false;
/* A board that was asked for before a move, or comes while a card is held or on its way, may be older than what is
   shown. */
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => { ctx.moves = moves; });
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  const busy = dragged || document.querySelector(".idea.moving");
  if (ctx.target?.id !== "board" || (ctx.moves === moves && !busy)) return;
  event.preventDefault();
  missed = true;
  if (!busy) catchUp();
});
function catchUp() {
  if (missed) htmx.trigger(document.querySelector("form[hx-target='#board']"), "renew");
  missed = false;
}
document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".idea[draggable]") ?? null;
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.id);
  setTimeout(() => dragged?.classList.add("dragged"));
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  columns().forEach((column) => column.classList.remove("over"));
  dragged = null;
  catchUp();
});
document.addEventListener("dragover", (event) => {
  const column = dragged && event.target.closest?.(".column");
  if (dragged) columns().forEach((each) => each.classList.toggle("over", each === column && column !== columnOf(dragged)));
  if (column) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const column = dragged && event.target.closest?.(".column");
  if (!column) return;
  event.preventDefault();
  move(document.getElementById(dragged.id), column.dataset.status);
});
document.addEventListener("keydown", (event) => {
  const card = event.target.closest?.(".idea");
  if (!card || !event.target.matches(".idea-title") || event.ctrlKey || event.altKey || event.metaKey) return;
  const all = columns(), at = all.indexOf(columnOf(card)), step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.shiftKey) {
    if (!step || !card.draggable) return;
    event.preventDefault();
    if (all[at + step]) move(card, all[at + step].dataset.status);
    return;
  }
  const inColumn = cardsOf(all[at]), row = inColumn.indexOf(card);
  let next = { ArrowUp: inColumn[row - 1], ArrowDown: inColumn[row + 1] }[event.key];
  for (let column = at + step; step && !next && all[column]; column += step) {
    const found = cardsOf(all[column]);
    next = found[Math.min(row, found.length - 1)];
  }
  if (event.key.startsWith("Arrow")) event.preventDefault();
  next?.querySelector(".idea-title").focus();
});
let asking = null;
document.addEventListener("click", (event) => {
  const menu = document.getElementById("move-menu"), button = event.target.closest(".idea .move");
  if (button) {
    asking = button.closest(".idea");
    const place = button.getBoundingClientRect();
    menu.querySelectorAll("button").forEach((each) => { each.disabled = each.value === asking.dataset.status; });
    menu.showPopover();
    menu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(place.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
    menu.querySelector("button:enabled").focus();
  } else if (event.target.closest("#move-menu button")) {
    menu.hidePopover();
    asking.querySelector(".idea-title").focus();
    move(asking, event.target.closest("button").value);
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("#move-menu"), step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu) return;
  const choices = [...menu.querySelectorAll("button:enabled")];
  if (step) { event.preventDefault(); choices.at((choices.indexOf(event.target) + step) % choices.length).focus(); }
  if (event.key === "Escape") setTimeout(() => asking?.querySelector(".move").focus());
});
document.addEventListener("click", (event) => {
  // Cards that were asked for stay: the board is not loaded anew from then on.
  if (!event.target.closest("[data-more]")) return;
  document.getElementById("board").removeAttribute("data-live");
  follow();
});

/* Values of a list that are changed where they stand: Enter keeps, Escape takes back. */
function edit(cell) {
  const row = cell.closest("tr"), name = cell.dataset.edit;
  const input = document.getElementById("editors").content.querySelector(`[data-for=${name}]`).cloneNode(true);
  const fault = document.createElement("small");
  let over = false;
  fault.className = "fault"; fault.id = `fault-${row.id}-${name}`; fault.hidden = true;
  if (input.matches("select") && ![...input.options].some((each) => each.value === cell.dataset.value)) input.prepend(new Option(cell.dataset.value));
  input.value = cell.dataset.value;
  const close = () => {
    if (over) return;
    over = true;
    input.replaceWith(cell);
    fault.remove();
    cell.focus();
  };
  const keep = async () => {
    if (over || input.disabled) return;
    if (input.value === cell.dataset.value) { close(); return; }
    input.disabled = true;
    const answer = await change(row.dataset.save, { [name]: input.value, seen: row.dataset.seen, was: row.dataset.was });
    input.disabled = false;
    if (answer.ok && answer.row) {
      over = true;
      document.getElementById(row.id)?.replaceWith(answer.row);
      tellTimes();
      answer.row.querySelector(`[data-edit=${name}]`)?.focus();
      toast(answer.told.message, answer.told.tone);
    } else if (!answer.conflict) {
      fault.textContent = answer.told?.message ?? document.body.dataset.unsaved;
      fault.hidden = false;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", fault.id);
      input.focus();
    } else close();
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); keep(); }
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
  });
  input.addEventListener("input", () => { input.removeAttribute("aria-invalid"); fault.hidden = true; });
  input.addEventListener("change", () => { if (input.matches("select")) keep(); });
  input.addEventListener("blur", () => setTimeout(() => { if (!over && !input.disabled && !input.hasAttribute("aria-invalid")) keep(); }));
  cell.replaceWith(input);
  input.after(fault);
  input.focus();
  if (input.matches("select")) { try { input.showPicker(); } catch { /* Only after a gesture; the keys work anyway. */ } } else input.select();
}
document.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-edit]");
  if (cell) edit(cell);
});

/* Whoever would leave what was typed and not sent, or a file that is on its way, is asked by the browser first. */
let unsent = document.querySelector(".notice.bad ~ .edit") !== null;
document.addEventListener("input", ({ target }) => { unsent ||= target.closest(".edit") !== null; });
document.addEventListener("submit", (event) => { if (event.target.matches(".edit") && !event.defaultPrevented) unsent = false; });
addEventListener("beforeunload", (event) => {
  if (unsent || document.querySelector("progress.sending:not([hidden])")) event.preventDefault();
});

/* Whoever goes back to a form that makes a row comes to the same one: what it made is not made twice. */
const once = document.querySelector("form[action^='/console/new/'] [name=once]");
if (once) {
  const place = new URL(location);
  place.searchParams.set("once", once.value);
  history.replaceState(history.state, "", place);
}
