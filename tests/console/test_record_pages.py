"""Pages of records over HTTP: what they offer and to whom, files."""

from html import unescape
from typing import TYPE_CHECKING

from features.console.service.records import RECORDS
from tests.console.forms import form_of
from tests.console.people import signed_in, token_of
from tests.console.test_records import KINDS, VALUES
from tests.console.test_records import make as make_record

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection


async def test_what_one_may_not_do_is_not_offered(running_app: "RunningApp", db: "Database") -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "write", "grace")
        token = {"csrf": await token_of(client)}
        rows = {}
        for entity, values in VALUES.items():
            place, fields = form_of((await client.get(f"/console/new/{entity}")).text, "/console/new/")
            given = {name: str(value) for name, value in values.items() if isinstance(value, str)}
            rows[entity] = (await client.post(place, data={**fields, **given})).headers["location"]
        pages = [*(record.pages for record in map(RECORDS.__getitem__, KINDS)), *rows.values()]
        for path in pages:
            page = (await client.get(path)).text
            assert "/console/new/" in page or "/console/save/" in page or path == "/console/files"
            assert "History" not in page
        await signed_in(client, db, "read")
        token = {"csrf": await token_of(client)}
        for path in pages:
            page = (await client.get(path)).text
            for offer in ("/console/new/", "/console/save/", "/console/delete/", "data-edit", 'class="move'):
                assert offer not in page, (path, offer)
            assert 'action="/console/files"' not in page or path == "/console/files"
            assert 'type="file"' not in page
        for place in ("/console/new/idea", "/console/save/idea?id=1", "/console/systems/check?id=1"):
            answer = await client.post(place, data={**token, "title": "x", "status": "new"})
            assert answer.status_code in (403, 404), place
            assert (await client.post(place, data={"title": "x"})).status_code == 403


async def test_an_empty_page_says_what_to_do_first(client: "httpx.AsyncClient") -> None:
    for path, hint in (
        ("/console/ideas", "Write down the first one"),
        ("/console/items", "write the first one"),
        ("/console/systems", "Enter the first one"),
        ("/console/files", "Choose the first ones above"),
    ):
        assert hint in (await client.get(path)).text
    assert "No idea matches" in (await client.get("/console/ideas?priority=low")).text


async def test_the_board_has_fifty_cards_of_a_column_and_more_when_asked(
    client: "httpx.AsyncClient", connection: "Connection"
) -> None:
    await connection.execute(
        "INSERT INTO ideas (id, title, description, category, priority, status, tags, created_at)"
        " SELECT 'n' || n, 'Idea ' || n, 'x', 'docs', 'low', 'triage', '{}', now() - n * interval '1 s'"
        " FROM generate_series(1, 120) n"
    )
    board = (await client.get("/console/ideas")).text
    assert board.count('class="idea"') == 50
    assert '<span class="count">120</span>' in board
    seen = board.count('class="idea"')
    page = board
    while "data-more" in page:
        place = unescape(page.split('hx-get="/console/ideas?')[-1].split('"')[0])
        page = (await client.get(f"/console/ideas?{place}", headers={"hx-request": "true"})).text
        assert "<html" not in page
        seen += page.count('class="idea"')
    assert seen == 120


async def test_several_files_are_stored_and_each_refusal_is_told(client: "httpx.AsyncClient") -> None:
    idea = await make_record(client, RECORDS["idea"])
    files = [
        ("files", ("one.txt", b"first")),
        ("files", ("bad.exe", b"MZ" * 500_000)),
        ("files", ("fake.png", b"no image")),
        ("files", ("two.md", b"# second")),
    ]
    fields = {"idea_id": idea["id"], "next": f"/console/ideas/{idea['id']}", "description": "From the page"}
    answer = await client.post("/console/files", data=fields, files=files)
    assert (answer.status_code, answer.headers["location"]) == (303, fields["next"])
    page = unescape((await client.get(fields["next"])).text)
    assert "Files stored: 2; bad.exe: " in page
    assert "fake.png: " in page
    found = (await client.get("/api/v1/files", params={"idea_id": idea["id"]})).json()["data"]
    assert {(each["originalName"], each["description"]) for each in found} == {
        ("one.txt", "From the page"),
        ("two.md", "From the page"),
    }
    empty = await client.post("/console/files", data=fields, files={"files": ("", b"")})
    assert (empty.status_code, "Choose a file first" in empty.text) == (400, True)


async def test_a_look_into_a_file_is_text_and_its_content_is_inert(client: "httpx.AsyncClient") -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for name, content in (("a.svg", svg), ("b.md", b"# Notes\n" + b"<script>alert(1)</script>" * 9000)):
        made = await client.post("/api/v1/files/upload", files={"file": (name, content)})
        row = made.json()["data"]
        page = (await client.get(f"/console/files/{row['id']}")).text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert len(page) < 500_000
        content_of = await client.get(f"/console/api/v1/files/{row['id']}/download")
        assert "sandbox" in content_of.headers["content-security-policy"]
        assert content_of.headers["content-disposition"].startswith("attachment")
        assert content_of.headers["x-content-type-options"] == "nosniff"
