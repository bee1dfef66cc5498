/* What the pages do by script: live parts, plots, uploads, questions, toasts. Without it forms and links still work. */
"use strict";

const toasts = document.getElementById("toasts");

function lineOf(message, link) {
  const line = document.createElement("p"), place = document.createElement("a");
  line.textContent = message;
  if (!link) return line;
  [place.href, place.textContent] = [link.place, link.text];
  line.append(" ", place);
  return line;
}
function toast(message, tone) {
  const line = lineOf(message);
  line.className = `toast ${tone}`;
  toasts.append(line);
  fade(line);
}
const fade = (line) => setTimeout(() => line.remove(), 6000);
for (const line of toasts?.children ?? []) fade(line);
document.addEventListener("toast", (event) => toast(event.detail.message, event.detail.tone));

/* Moments in the reader's own zone, near ones by their distance. */
const near = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const far = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
function tellTimes() {
  for (const element of document.querySelectorAll("time")) {
    const moment = new Date(element.dateTime), seconds = (moment - Date.now()) / 1000, size = Math.abs(seconds);
    const [unit, length] = size < 60 ? ["second", 1] : size < 3600 ? ["minute", 60] : ["hour", 3600];
    const told = size < 86400 ? near.format(Math.trunc(seconds / length), unit) : far.format(moment);
    if (element.textContent !== told) element.textContent = told;
    element.title = far.format(moment);
  }
}

/* What was typed stays when a part of the page finds that nobody is signed in any more. */
const isTouched = (field) => field.matches("select")
  ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((each) => each.defaultSelected))
  : field.type === "file" ? field.files.length > 0
  : field.matches("[type=checkbox], [type=radio]") ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
document.addEventListener("htmx:before:response", (event) => {
  const { hx } = event.detail.ctx;
  if (!hx.redirect || ![...document.querySelectorAll("form[method=post] [name], td > [data-for]")].some(isTouched)) return;
  event.preventDefault();
  if (!document.querySelector(".toast.out")) toast(document.body.dataset.signedOut, "bad out");
});

/* Live parts: an event of the stream that a part names has it loaded anew. */
const streams = new Map();
function follow() {
  for (const [part, stream] of streams) {
    if (part.isConnected && part.dataset.live === stream.place) continue;
    stream.source.close();
    streams.delete(part);
    if (part.isConnected) htmx.trigger(document.body, "ended");
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    if (streams.has(part)) continue;
    const source = new EventSource(part.dataset.live);
    const load = () => htmx.trigger(part, "live");
    // "open": what was changed between the page and its stream is in neither.
    for (const kind of ["open", "change", "dropped", "state", "phase", "progress"]) source.addEventListener(kind, load);
    streams.set(part, { source, place: part.dataset.live });
  }
}
/* A part that cannot be loaded says so, until it can be: what it shows may be old. */
function tellOld({ target }) {
  if (!target.matches?.("[data-live]") || target.querySelector(":scope > .old")) return;
  const line = document.createElement("p");
  line.className = "old notice bad";
  line.setAttribute("role", "alert");
  line.textContent = document.body.dataset.old;
  target.prepend(line);
}
for (const kind of ["htmx:response:error", "htmx:error"]) document.addEventListener(kind, tellOld);
/* A browser has few connections for an origin: a page that nobody sees gives its own back. */
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { streams.forEach(({ source }) => source.close()); streams.clear(); return; }
  follow();
  document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "live"));
});

/* Plots of the moment: two readings of the figures make a point. */
const POINTS = 150;
function plot() {
  const place = document.getElementById("plots");
  if (!place || !window.uPlot) return;
  const points = { at: [], requests: [], p50: [], p99: [], hits: [], pool: [], waiting: [], memory: [] };
  const charts = new Map(), clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
  const lines = { requests: ["requests"], latency: ["p50", "p99"], hits: ["hits"], pool: ["pool", "waiting"], memory: ["memory"] };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rounded = (value) => value >= 100 ? Math.round(value).toLocaleString("en") : value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
  const told = {
    requests: (p) => rounded(p.requests.at(-1)),
    latency: (p) => p.p99.at(-1) == null ? "–" : `${rounded(p.p50.at(-1))} / ${rounded(p.p99.at(-1))}`,
    hits: (p) => p.hits.at(-1) == null ? "–" : `${Math.round(p.hits.at(-1))} %`,
    pool: (p) => `${p.pool.at(-1)} / ${p.size}`,
    memory: (p) => `${Math.round(p.memory.at(-1))} MB`,
  };
  function draw() {
    for (const figure of place.querySelectorAll("[data-plot]")) {
      const name = figure.dataset.plot, box = figure.querySelector(".canvas");
      charts.get(name)?.destroy();
      const grid = { stroke: colour("--line"), width: 1 }, axis = { stroke: colour("--muted"), font: "11px system-ui", grid, ticks: { show: false } };
      const series = lines[name].map((_, n) => ({
        stroke: colour(n ? "--two" : "--accent"), width: 2, spanGaps: false, points: { show: false },
        fill: n || lines[name].length > 1 ? undefined : colour("--accent-soft"),
      }));
      charts.set(name, new uPlot({
        width: box.clientWidth || 280, height: 130, legend: { show: false }, cursor: { show: false }, padding: [8, 22, 6, 0],
        scales: { y: { range: (_, low, high) => [0, name === "hits" ? 100 : Math.max(high * 1.15 || 1, name === "memory" ? 10 : 1)] } },
        axes: [{ ...axis, space: 80, size: 22, values: (_, moments) => moments.map((at) => clock.format(at * 1000)) }, { ...axis, size: 38, space: 34 }],
        series: [{}, ...series],
      }, [points.at, ...lines[name].map((line) => points[line])], box));
    }
  }
  /* A quantile from the numbers of requests by bucket: where in the bucket it lies is taken to be in proportion. */
  function quantile(buckets, share) {
    const all = buckets.reduce((sum, [, number]) => sum + number, 0);
    if (!all) return null;
    let seen = 0, below = 0;
    for (const [bound, number] of buckets) {
      if (seen + number >= share * all) return 1000 * (bound === null ? below : below + (bound - below) * (share * all - seen) / number);
      seen += number; below = bound ?? below;
    }
    return 1000 * below;
  }
  let before = null, source = null;
  function read(event) {
    const now = JSON.parse(event.data);
    if (before && now.requests_total >= before.requests_total) {
      const seconds = now.at - before.at, reads = now.reads_total - before.reads_total;
      const earlier = new Map(before.durations.map(([bound, number]) => [bound, number]));
      const buckets = now.durations.map(([bound, number]) => [bound, number - (earlier.get(bound) ?? 0)]);
      points.at.push(now.at);
      points.requests.push((now.requests_total - before.requests_total) / seconds);
      points.p50.push(quantile(buckets, 0.5));
      points.p99.push(quantile(buckets, 0.99));
      points.hits.push(reads > 0 ? 100 * (now.hits_total - before.hits_total) / reads : null);
      points.pool.push(now.pool_in_use);
      points.waiting.push(now.pool_waiting);
      points.memory.push(now.engine_bytes / 1048576);
      points.size = now.pool_size;
      for (const line of Object.values(points)) if (line.length > POINTS) line.shift();
      for (const [name, chart] of charts) {
        chart.setData([points.at, ...lines[name].map((line) => points[line])]);
        place.querySelector(`[data-plot=${name}] output`).textContent = told[name](points);
      }
    }
    before = now;
  }
  function listen() {
    source?.close();
    before = source = null;
    if (document.hidden) return;
    source = new EventSource(place.dataset.figures);
    source.addEventListener("figures", read);
  }
  draw();
  listen();
  document.addEventListener("visibilitychange", listen);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => charts.forEach((chart, name) => {
    const width = place.querySelector(`[data-plot=${name}] .canvas`).clientWidth;
    if (width && width !== chart.width) chart.setSize({ width, height: 130 });
  })).observe(place);
}

/* Uploads with their progress; the answer is a part of a page, and what was not stored stays chosen. */
function refuse(form, messages, link) {
  form.querySelector(".refused").replaceChildren(...messages.map((message) => lineOf(message, link)));
}
function keepChosen(form, refused) {
  const input = form.querySelector("input[type=file]"), kept = new DataTransfer();
  const names = new Set([...refused.querySelectorAll("[data-file]")].map((each) => each.dataset.file));
  for (const file of input.files) if (names.has(file.name)) kept.items.add(file);
  input.files = kept.files;
  tellChosen(input);
}
function tellChosen(input) {
  const told = input.closest(".drop").querySelector("strong"), names = [...input.files].map((file) => file.name);
  told.dataset.none ??= told.textContent;
  told.textContent = names.length > 1 ? document.body.dataset.chosen.replace("{0}", names.length).replace("{1}", names.join(", ")) : names[0] ?? told.dataset.none;
}
function upload(form, submitter) {
  const files = [...form.querySelector("input[type=file]").files], most = Number(form.dataset.largest ?? Infinity);
  const large = files.filter((file) => file.size > most).map((file) => form.dataset.tooLarge.replace("{0}", file.name));
  refuse(form, large);
  if (large.length) return;
  const request = new XMLHttpRequest(), bar = form.querySelector("progress.sending");
  const buttons = form.querySelectorAll("button");
  request.open("POST", submitter?.getAttribute("formaction") || form.action);
  request.setRequestHeader("HX-Request", "true");
  if (document.body.dataset.csrf) request.setRequestHeader("X-CSRF-Token", document.body.dataset.csrf);
  request.upload.addEventListener("progress", (event) => { bar.max = event.total; bar.value = event.loaded; });
  request.addEventListener("loadend", () => {
    bar.hidden = true;
    buttons.forEach((button) => { button.disabled = false; });
    const place = request.getResponseHeader("HX-Redirect"), heard = request.getResponseHeader("HX-Trigger");
    if (place) { location.assign(place); return; }
    const { message, tone, link } = heard ? JSON.parse(heard).toast : { message: document.body.dataset.lost, tone: "bad" };
    if (heard || request.status !== 200) toast(message, tone);
    if (request.status !== 200) { refuse(form, [message], link); return; }
    const target = form.querySelector(form.dataset.upload) ?? document.querySelector(form.dataset.upload);
    target.innerHTML = request.responseText;
    if (target.matches(".refused")) { keepChosen(form, target); htmx.trigger(document.body, "stored"); return; }
    htmx.process(target);
    renewed();
    target.firstElementChild?.scrollIntoView({ block: "nearest" });
  });
  bar.hidden = false;
  buttons.forEach((button) => { button.disabled = true; });
  request.send(new FormData(form));
}

/* Questions before what cannot be taken back. */
const questionOf = (form) => form.querySelector("[name=ask]")?.value;
function ask(form, submitter) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("p").textContent = questionOf(form);
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    if (!form.isConnected) { toast(document.body.dataset.gone, "bad"); return; }
    form.dataset.confirmed = "yes";
    form.querySelector("[name=ask]")?.remove();
    form.requestSubmit(submitter);
  }, { once: true });
  dialog.showModal();
}
document.addEventListener("submit", (event) => {
  const form = event.target, asks = form.querySelector("[data-asks]");
  if (questionOf(form) && !form.dataset.confirmed && (!asks || asks === event.submitter)) {
    event.preventDefault();
    ask(form, event.submitter);
  } else if (form.dataset.upload) {
    event.preventDefault();
    upload(form, event.submitter);
  } else if (form.method === "post") {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 3000);
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const secret = document.querySelector(button.dataset.copy);
  // Browsers have a clipboard for scripts only where the connection is secure.
  const copied = await navigator.clipboard?.writeText(secret.textContent).then(() => true, () => false);
  if (!copied) getSelection().selectAllChildren(secret);
  button.textContent = copied ? button.dataset.copied : button.dataset.selected;
});

/* The name of a chosen file, and files that are dropped; what a dry run told is not of another file or other options. */
document.addEventListener("change", (event) => {
  if (event.target.form?.id === "takeover") document.getElementById("start")?.remove();
  const label = event.target.closest(".drop");
  if (label && event.target.files) tellChosen(event.target);
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => event.target.closest?.(".drop")?.classList.toggle("over", kind === "dragover"));
}

function renewed() { tellTimes(); follow(); }
document.addEventListener("htmx:after:swap", () => setTimeout(renewed));
document.addEventListener("DOMContentLoaded", () => {
  renewed();
  plot();
  document.querySelector(".pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
});
setInterval(tellTimes, 15_000);
