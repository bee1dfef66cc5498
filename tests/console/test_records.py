"""Records over HTTP, without scripts: made, changed, deleted, and what two people do at once."""

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from features.console.service.records import RECORDS, Record
from tests.console.forms import form_of
from tests.fixtures.trail import audit_of

if TYPE_CHECKING:
    import httpx

    from tests.fixtures.database import Connection

VALUES: dict[str, dict[str, Any]] = {
    "idea": {
        "title": "Guide",
        "description": "One page",
        "category": "docs",
        "priority": "high",
        "dueDate": "2026-12-01T12:34:56.789Z",
        "estimatedHours": 2.5,
        "tags": ["a, b", 'say "hi"', " x"],
    },
    "item": {"title": "Dark mode", "description": "At\r\nnight", "category": "dashboard", "priority": "low"},
    "system": {
        "name": "Orders",
        "description": "\nTakes orders",
        "status": "online",
        "type": "api",
        "port": 8080,
        "metadata": {"team": {"name": "a\\b"}, "n": [1, 2.5]},
        "tags": ["core"],
    },
}
KINDS = ("idea", "item", "system", "file")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> ' {{ 7 * 7 }} {% raw %}",
    "\N{RIGHT-TO-LEFT OVERRIDE}שלום\N{POP DIRECTIONAL FORMATTING} \N{ROCKET}e\N{COMBINING ACUTE ACCENT}",
    "W" * 200,
    "</textarea></title><b>",
)


async def make(client: "httpx.AsyncClient", record: Record, **changes: object) -> dict[str, Any]:
    if record.entity == "file":
        name = str(changes.get("originalName", "notes.txt"))
        form = {"description": str(changes.get("description", "Notes"))}
        made = await client.post(f"{record.api}/upload", files={"file": (name, b"<b>text</b>")}, data=form)
        row: dict[str, Any] = made.json()["data"]
        return row
    made = await client.post(record.api, json={**VALUES[record.entity], **changes})
    assert made.status_code == 201, made.text
    new: dict[str, Any] = made.json()["data"]
    return new


async def stored(client: "httpx.AsyncClient", record: Record, row_id: str) -> dict[str, Any]:
    """The row as the API has it, without what counts looks into it."""
    row: dict[str, Any] = (await client.get(record.place(row_id))).json()["data"]
    return {**row, "downloadCount": 0} if record.entity == "file" else row


@pytest.mark.parametrize("entity", KINDS)
async def test_a_form_that_is_sent_as_it_came_changes_nothing(
    client: "httpx.AsyncClient", connection: "Connection", entity: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    page = await client.get(record.page(row["id"]))
    place, fields = form_of(page.text, f"/console/save/{entity}")
    answer = await client.post(place, data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, record.page(row["id"]))
    assert await stored(client, record, row["id"]) == row
    assert [each["action"] for each in await audit_of(connection, entity, row["id"])] == ["created"]


@pytest.mark.parametrize("entity", KINDS)
async def test_only_what_was_changed_is_written_and_the_history_tells_it(
    client: "httpx.AsyncClient", connection: "Connection", entity: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")
    await client.post("/console/name", data={"name": "ada"})
    answer = await client.post(place, data={**fields, "description": "Told\r\nanew"})
    assert answer.status_code == 303
    entry = (await audit_of(connection, entity, row["id"]))[-1]
    assert (entry["actor"], entry["changes"].keys() - {"updatedAt"}) == ("ada", {"description"})
    assert entry["changes"]["description"]["after"] == "Told\nanew"
    page = (await client.get(record.page(row["id"]))).text
    assert "It is saved" in page or "Saved" in page
    for told in ("Told\nanew", "ada"):
        assert told in page


@pytest.mark.parametrize("entity", KINDS)
async def test_two_versions_are_shown_and_the_person_says_which_one_stays(
    client: "httpx.AsyncClient", entity: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")
    theirs = {"description": "Theirs <b>"}
    if entity != "file":
        theirs["tags"] = ["theirs"]  # type: ignore[assignment]
    changed = (await client.put(record.place(row["id"]), json=theirs, headers={"x-user-id": "grace"})).json()[
        "data"
    ]
    mine = {**fields, "description": "Mine <i>"}
    answer = await client.post(place, data=mine)
    assert answer.status_code == 412
    for word in ("Theirs", "Mine"):
        assert f"<mark>{word}</mark>" in answer.text
    text = unescape(re.sub("</?mark>", "", answer.text))
    for told in ("Theirs <b>", "Mine <i>", "grace", "As it is now", "Yours"):
        assert told in text
    assert ("not changed by you" in text) == (entity != "file")
    assert await stored(client, record, row["id"]) == {
        **changed,
        **({"downloadCount": 0} if entity == "file" else {}),
    }
    kept, again = form_of(answer.text, f"/console/save/{entity}")
    assert (await client.post(kept, data=again)).status_code == 303
    now = (await client.get(record.place(row["id"]))).json()["data"]
    assert now["description"] == "Mine <i>"
    assert now.get("tags") == changed.get("tags")


@pytest.mark.parametrize("entity", KINDS)
async def test_a_row_that_has_changed_is_not_deleted_unseen(client: "httpx.AsyncClient", entity: str) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/delete/{entity}")
    await client.put(record.place(row["id"]), json={"description": "Newer"})
    refused = await client.post(place, data={**fields, "ask": ""})
    assert refused.status_code == 412
    assert "Somebody has changed it since" in refused.text
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/delete/{entity}")
    asked = await client.post(place, data=fields)
    assert (asked.status_code, "This cannot be taken back." in asked.text) == (200, True)
    assert (await client.get(record.place(row["id"]))).status_code == 200
    place, fields = form_of(asked.text, f"/console/delete/{entity}")
    assert (await client.post(place, data=fields)).headers["location"] == record.pages
    assert (await client.get(record.place(row["id"]))).status_code == 404


async def test_a_new_record_is_offered_no_choice_that_nobody_has_made(client: "httpx.AsyncClient") -> None:
    for entity, chosen in (
        ("idea", {"status": "new", "priority": "medium", "category": "", "systemId": ""}),
        ("item", {"priority": "medium", "category": ""}),
        ("system", {"status": "", "type": ""}),
    ):
        page = (await client.get(f"/console/new/{entity}")).text
        fields = form_of(page, "/console/new/")[1]
        assert {name: fields[name] for name in chosen} == chosen
        for name in chosen.keys() & {"status", "priority", "category"}:
            assert f'id="f-{name}" name="{name}" required' in page


@pytest.mark.parametrize("entity", VALUES)
async def test_a_record_is_made_with_faults_beside_its_fields(
    client: "httpx.AsyncClient", entity: str
) -> None:
    record = RECORDS[entity]
    place, fields = form_of((await client.get(f"/console/new/{entity}")).text, "/console/new/")
    refused = await client.post(place, data={**fields, "description": " ", record.label: "Kept <i>"})
    assert refused.status_code == 400
    for name in ("description", "status" if entity == "system" else "category"):
        assert f'aria-describedby="fault-{name}"' in refused.text
        assert f'id="fault-{name}"' in refused.text
    again = form_of(refused.text, "/console/new/")[1]
    assert again[record.label] == "Kept <i>"
    again |= {name: value for name in ("status", "category") if (value := VALUES[entity].get(name))}
    made = await client.post(place, data={**again, "description": "Now with one"})
    twice = await client.post(place, data={**again, "description": "Now with one"})
    assert made.status_code == 303
    assert twice.headers["location"] == made.headers["location"]
    page = await client.get(made.headers["location"])
    assert form_of(page.text, f"/console/save/{entity}")[1][record.label] == "Kept <i>"


@pytest.mark.parametrize(
    ("entity", "field", "text"),
    [
        ("idea", "estimatedHours", "many"),
        ("idea", "estimatedHours", "nan"),
        ("idea", "dueDate", "tomorrow"),
        ("system", "port", "99999"),
        ("system", "url", "javascript:alert(1)"),
        ("system", "metadata", "{"),
        ("file", "ideaId", "nowhere"),
    ],
)
async def test_a_change_that_is_refused_is_told_and_what_was_typed_stays(
    client: "httpx.AsyncClient", entity: str, field: str, text: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")
    refused = await client.post(place, data={**fields, field: text})
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert form_of(refused.text, f"/console/save/{entity}")[1][field] == text
    assert await stored(client, record, row["id"]) == row


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("entity", KINDS)
async def test_any_text_is_shown_as_it_is_and_comes_back_as_it_was(
    client: "httpx.AsyncClient", entity: str, text: str
) -> None:
    record = RECORDS[entity]
    if entity == "file":
        row = await make(client, record, originalName=f"{text[:100]}.txt", description=text)
    else:
        row = await make(client, record, **{record.label: text, "description": text, "tags": [text]})
    if entity == "system":
        await make(client, RECORDS["idea"], title=text, systemId=row["id"])
    for path in (record.pages, record.page(row["id"]), "/console/activity"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        for markup in ("<script>alert", "<img src=x", "</textarea></title>", "49 "):
            assert markup not in answer.text.replace("49 B", ""), (path, markup)
    fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")[1]
    assert fields["description"] == text


@pytest.mark.parametrize("item_id", ["a/b", "?x=1#y", "100%25", "ü \N{ROCKET}", "..", "new", "item", "a//b/"])
async def test_an_item_has_a_page_whatever_its_id_is(
    client: "httpx.AsyncClient", connection: "Connection", item_id: str
) -> None:
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority, status, tags, created_at)"
        " VALUES ($1, 'Odd', 'x', 'dashboard', 'low', 'new', '{}', now())",
        item_id,
    )
    listed = unescape((await client.get("/console/items")).text)
    place = f"/console/items/item?id={quote(item_id, safe='')}"
    assert place in listed
    save, fields = form_of((await client.get(place)).text, "/console/save/item")
    assert (await client.post(save, data={**fields, "title": "Even"})).status_code == 303
    assert await connection.fetchval("SELECT title FROM items WHERE id = $1", item_id) == "Even"


async def test_a_message_names_the_field_as_people_see_it(client: "httpx.AsyncClient") -> None:
    row = await make(client, RECORDS["item"])
    place = f"/console/save/item?id={row['id']}"
    seen = {"seen": row.get("updatedAt") or row["createdAt"]}
    for given, told in (
        ({"title": " "}, "Title: "),
        ({"tags": f"a, b, {'c' * 300}"}, "Tags, number 3: "),
    ):
        heard = await client.post(place, data={**seen, **given}, headers={"hx-request": "true"})
        assert heard.status_code == 400
        assert json.loads(heard.headers["hx-trigger"])["toast"]["message"].startswith(told)


async def test_numbers_are_told_as_people_write_them(client: "httpx.AsyncClient") -> None:
    await make(client, RECORDS["item"])
    assert ">1 item<" in (await client.get("/console/items")).text
    given = {**VALUES["idea"], "actualHours": "50000", "tags": ""}
    refused = await client.post("/console/new/idea", data=given)
    assert (refused.status_code, "must be at most 10000<" in refused.text) == (400, True)
