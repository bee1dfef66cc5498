"""Nothing that was typed is lost, and nothing is changed that nobody asked for."""

import json
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from features.console.service.differences import marked
from features.console.service.json_texts import indented, member
from features.console.service.records import RECORDS
from tests.console.forms import form_of
from tests.console.pages import HOOK
from tests.console.people import signed_in
from tests.console.test_records import KINDS, VALUES, make
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

SCRIPT = {"hx-request": "true"}
DIGITS = (
    '{"big":12345678901234567890123,"price":1.10,"tiny":1e-7,"list":[{},[],[0.10,-0.0]],'
    '"text":"1.10, {\\"a\\": 1}"}'
)


async def row_of(client: "httpx.AsyncClient", entity: str) -> dict[str, Any]:
    if entity != "webhook":
        return await make(client, RECORDS[entity])
    row: dict[str, Any] = (await client.post("/api/v1/webhooks", json=HOOK)).json()["data"]
    return row


async def shows(client: "httpx.AsyncClient", page: str, text: str) -> bool:
    return text in (await client.get(page)).text


@pytest.mark.parametrize("entity", VALUES)
async def test_a_choice_that_the_form_does_not_know_stays(client: "httpx.AsyncClient", entity: str) -> None:
    odd = {field.name: "odd one" for field in RECORDS[entity].fields if field.kind == "choice"}
    place, fields = form_of((await client.get(f"/console/new/{entity}", params=odd)).text, "/console/new/")
    shown = {name: fields[name] for name in odd if name in fields}
    assert shown
    assert set(shown.values()) == {"odd one"}
    refused = await client.post(place, data={**fields, "title": "x", "name": "x", "description": "x"})
    assert refused.status_code == 400
    again = form_of(refused.text, "/console/new/")[1]
    assert {name: again[name] for name in shown} == shown


async def test_the_filter_of_a_webhook_does_not_widen(
    client: "httpx.AsyncClient", connection: "Connection"
) -> None:
    """Not even where no feature has that kind of row any more."""
    made = await client.post("/api/v1/webhooks", json={**HOOK, "entity": "item", "entityId": "a"})
    row = made.json()["data"]
    page = RECORDS["webhook"].page(row["id"])
    await connection.execute("UPDATE webhooks SET entity = 'api_key'")
    await wait_for(lambda: shows(client, page, 'value="api_key"'))
    place, fields = form_of((await client.get(page)).text, "/console/save/webhook")
    assert (await client.post(place, data={**fields, "description": "New"})).status_code == 303
    now = (await client.get(RECORDS["webhook"].place(row["id"]))).json()["data"]
    assert (now["entity"], now["entityId"], now["description"]) == ("api_key", "a", "New")


def test_json_is_laid_out_with_every_token_as_it_was() -> None:
    laid = indented(DIGITS)
    assert "".join(laid.split()) == "".join(DIGITS.split())
    assert json.loads(laid) == json.loads(DIGITS)
    assert '  "price": 1.10,\n' in laid
    assert "    {},\n    [],\n" in laid
    assert member(f'{{"data":{{"x":{{"m":1}},"s":"\\"m\\":2","m":{DIGITS}}}}}', "m", 2) == DIGITS


async def test_no_digit_of_metadata_is_lost_or_changed(client: "httpx.AsyncClient") -> None:
    record = RECORDS["system"]
    row = await make(client, record)
    given = await client.put(
        record.place(row["id"]),
        content=f'{{"metadata":{DIGITS}}}',
        headers={"content-type": "application/json"},
    )
    kept = member(given.text, "metadata", 2)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, "/console/save/system")
    assert "".join(fields["metadata"].split()) == "".join(kept.split())
    assert "12345678901234567890123" in fields["metadata"]
    await client.post(place, data={**fields, "description": "New"})
    assert member((await client.get(record.place(row["id"]))).text, "metadata", 2) == kept
    place, fields = form_of((await client.get(record.page(row["id"]))).text, "/console/save/system")
    edited = fields["metadata"].replace("1e-7", "2").replace("0.0000001", "2")
    assert edited != fields["metadata"]
    assert (await client.post(place, data={**fields, "metadata": edited})).status_code == 303
    now = member((await client.get(record.place(row["id"]))).text, "metadata", 2)
    assert "".join(now.split()) == "".join(edited.split())


@pytest.mark.parametrize("entity", ["idea", "item", "system"])
async def test_what_a_field_of_one_line_cannot_show_is_not_changed(
    client: "httpx.AsyncClient", entity: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record, **{record.label: "Two\nlines", "tags": ["a\nb", "c\r\nd", "e, f"]})
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")
    # As a browser does it.
    sent = {
        name: text if name in ("description", "metadata") else text.replace("\r", "").replace("\n", "")
        for name, text in fields.items()
    }
    assert (await client.post(place, data={**sent, "description": "New"})).status_code == 303
    now = (await client.get(record.place(row["id"]))).json()["data"]
    assert (now[record.label], now["tags"]) == (row[record.label], row["tags"])


@pytest.mark.parametrize("entity", [*KINDS, "webhook"])
async def test_what_was_typed_is_still_there_when_the_row_was_deleted(
    client: "httpx.AsyncClient", entity: str
) -> None:
    record = RECORDS[entity]
    row = await row_of(client, entity)
    place, fields = form_of((await client.get(record.page(row["id"]))).text, f"/console/save/{entity}")
    await client.delete(record.place(row["id"]))
    typed = {**fields, "description": "All my <words>"}
    gone = await client.post(place, data=typed)
    assert (gone.status_code, "Somebody has deleted it meanwhile" in gone.text) == (404, True)
    assert "All my <words>" in unescape(gone.text)
    heard = await client.post(place, data=typed, headers=SCRIPT)
    assert (heard.status_code, "not found" in heard.headers["hx-trigger"]) == (404, True)
    if entity == "file":
        return
    maker, again = form_of(gone.text, record.pages if entity == "webhook" else "/console/new/")
    assert {name: again[name] for name in again if name in typed} == {
        name: typed[name] for name in again if name in typed
    }
    assert (await client.post(maker, data=again)).status_code in (200, 303)
    made = (await client.get(record.api)).json()["data"]
    assert [each["description"] for each in made] == ["All my <words>"]


async def test_what_was_typed_before_signing_in_again_can_be_sent(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "write", "first")
        place, fields = form_of((await client.get("/console/new/idea")).text, "/console/new/")
        client.cookies.clear()
        await signed_in(client, db, "write", "second")
        typed = {**fields, "title": "Mine", "description": "All my words", "category": "docs"}
        kept = await client.post(place, data=typed)
        assert (kept.status_code, "All my words" in kept.text) == (403, True)
        assert (await client.get("/console/api/v1/ideas")).json()["total"] == 0
        foreign = await client.post(place, data=typed, headers={"sec-fetch-site": "cross-site"})
        assert (foreign.status_code, "All my words" in foreign.text) == (403, False)
        place, again = form_of(kept.text, "/console/new/")
        page = (await client.post(place, data=again)).headers["location"]
        place, fields = form_of((await client.get(page)).text, "/console/save/")
        client.cookies.clear()
        await signed_in(client, db, "write", "third")
        kept = await client.post(place, data={**fields, "description": "More words"})
        place, again = form_of(kept.text, "/console/save/")
        assert (await client.post(place, data=again)).headers["location"] == page
        assert (await client.get(page.replace("/console", "/console/api/v1"))).json()["data"][
            "description"
        ] == "More words"


async def test_a_long_text_is_saved_and_one_that_is_too_long_comes_back(
    client: "httpx.AsyncClient",
) -> None:
    row = await row_of(client, "system")
    page = RECORDS["system"].page(row["id"])
    place, fields = form_of((await client.get(page)).text, "/console/save/system")
    for length, statuses in ((1_048_577, (400, 413)), (400_000, (303,))):
        answer = await client.post(place, data={**fields, "description": "ü" * length})
        assert answer.status_code in statuses
        assert "ü" * length in (await client.get(page) if answer.status_code == 303 else answer).text


@pytest.mark.parametrize(("entity", "page"), [("idea", "/console/ideas"), ("item", "/console/items")])
async def test_a_conflict_in_a_list_shows_what_the_other_one_changed(
    client: "httpx.AsyncClient", entity: str, page: str
) -> None:
    record = RECORDS[entity]
    row = await make(client, record)
    listed = (await client.get(page)).text
    was = listed.split('data-was="')[1].split('"')[0]
    seen = listed.split('data-seen="')[1].split('"')[0]
    long = "Same words. " * 100
    await client.put(record.place(row["id"]), json={"description": f"{long}Theirs", "priority": "critical"})
    answer = await client.post(
        f"/console/save/{entity}?id={row['id']}",
        data={"status": "review", "seen": seen, "was": was},
        headers=SCRIPT,
    )
    assert answer.status_code == 412
    for told in (
        "Description",
        "Theirs",
        "<mark>Critical</mark>",
        "<mark>Review</mark>",
        "not changed by you",
    ):
        assert told in answer.text, told
    assert "Due" not in answer.text


def test_differing_words_are_marked_and_long_equal_parts_shortened() -> None:
    same = "word " * 200
    one, other = marked(f"{same}old end", f"{same}new end")
    assert [piece.text for piece in one if piece.differs] == ["old"]
    assert [piece.text for piece in other if piece.differs] == ["new"]
    assert sum(len(piece.text) for piece in one) < 250
    for first, second in (
        ("", "x"),
        ("a" * 10**6, "b" * 10**6),
        ("a b " * 10**5, "a c " * 10**5),
        ("x", "x"),
    ):
        pieces = marked(first, second)
        assert any(piece.differs for piece in (*pieces[0], *pieces[1])) == (first != second)


async def test_the_page_of_a_conflict_and_of_what_is_kept_has_its_place_in_the_navigation(
    client: "httpx.AsyncClient",
) -> None:
    row = await row_of(client, "idea")
    record = RECORDS["idea"]
    place, fields = form_of((await client.get(record.page(row["id"]))).text, "/console/save/idea")
    await client.put(record.place(row["id"]), json={"description": "Theirs"})
    conflict = await client.post(place, data={**fields, "description": "Mine"})
    await client.delete(record.place(row["id"]))
    gone = await client.post(place, data={**fields, "description": "Mine"})
    assert (conflict.status_code, gone.status_code) == (412, 404)
    for page in (conflict, gone):
        assert 'href="/console/ideas" aria-current="page"' in page.text


async def test_what_was_typed_is_there_when_nobody_is_signed_in_any_more(
    running_app: "RunningApp", db: "Database"
) -> None:
    typed = {"title": "Mine", "name": "ada", "url": "http://a.example/", "category": "docs"}
    typed["description"] = "All my <words>"
    async with running_app(auth="keys") as client:
        for page, text in (
            ("/console/new/idea", "All my <words>"),
            ("/console/webhooks", "All my <words>"),
            ("/console/keys", 'value="ada"'),
        ):
            await signed_in(client, db, "admin", "first")
            place, fields = form_of((await client.get(page)).text, page)
            client.cookies.clear()
            sent = {**fields, **typed}
            out = await client.post(place, data=sent, headers={"referer": f"http://localhost{page}"})
            assert (out.status_code, "you are signed out" in out.text) == (401, True), page
            assert text in unescape(out.text), page
            assert f"/console/sign-in?next={page.replace('/', '%2F')}" in out.text
            assert fields["csrf"] not in out.text
            foreign = await client.post(place, data=sent, headers={"sec-fetch-site": "cross-site"})
            assert (foreign.status_code, text in unescape(foreign.text)) == (403, False)
            heard = await client.post(place, data=sent, headers=SCRIPT)
            assert (heard.status_code, "hx-redirect" in heard.headers) == (401, False)
            assert "you are signed out" in heard.headers["hx-trigger"]
            await signed_in(client, db, "admin", "second")
            place, again = form_of(out.text, page)
            kept = await client.post(place, data=again)
            assert (kept.status_code, text in unescape(kept.text)) == (403, True), page
            place, again = form_of(kept.text, page)
            assert (await client.post(place, data=again)).status_code in (200, 303), page
