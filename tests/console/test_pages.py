"""Pages over HTTP: what they show, and what browsers may do with them."""

import json
import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features.console.service.rendering import FOLDER, texts, word
from features.keys.tests.factories import make_key
from tests.console.people import signed_in
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

ITEM = {"title": "Dark mode", "description": "At night", "category": "dashboard", "priority": "low"}
TEMPLATES = sorted((FOLDER / "templates").rglob("*.html"))
ASSET = re.compile(r'(?:src|href)="(/console/static/[^"]+)"')


async def test_a_page_may_load_nothing_but_from_its_own_origin(client: "httpx.AsyncClient") -> None:
    for path in ("/console", "/console/items", "/console/nowhere"):
        policy = (await client.get(path)).headers["content-security-policy"]
        if path != "/console/nowhere":
            assert "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'" in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|<script(?![^>]*\ssrc=)", source)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', source)
    assert "| safe" not in source


def test_every_word_that_a_template_names_is_there() -> None:
    for template in TEMPLATES:
        for path in re.findall(r"\bt((?:\.\w+)+)", template.read_text(encoding="utf-8")):
            found: object = texts()
            for name in path[1:].removesuffix(".format").split("."):
                assert hasattr(found, name), f"{template.name}: t{path}"
                found = getattr(found, name)


async def test_what_a_page_loads_is_kept_for_good_by_browsers(client: "httpx.AsyncClient") -> None:
    assets = ASSET.findall((await client.get("/console")).text)
    assert {path.rpartition(".")[2] for path in assets} == {"css", "js", "svg"}
    for path in assets:
        response = await client.get(path)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
    assert (await client.get("/console/static/x/../texts.toml")).status_code == 404


async def test_values_are_text_and_never_markup(client: "httpx.AsyncClient") -> None:
    await client.post("/api/items", json={**ITEM, "title": "<script>alert(1)</script>"})
    for path in ("/console/items", "/console/activity"):
        page = (await client.get(path)).text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


async def test_an_empty_service_says_how_to_begin(client: "httpx.AsyncClient") -> None:
    page = (await client.get("/console")).text
    for hint in ("Take over the old service", "Write the first item", "handover demo"):
        assert hint in page
    await client.post("/api/items", json=ITEM)
    assert "Nothing here yet" not in (await client.get("/console")).text


async def test_redis_away_is_told_in_words(running_app: "RunningApp") -> None:
    async with running_app(redis_url="redis://127.0.0.1:1") as client:
        page = (await client.get("/console")).text
        assert "Redis does not answer: everything works, only slower." in page
        assert "All is well" not in page


async def test_the_figures_count_what_others_ask_for_and_not_the_console(live_server: StartServer) -> None:
    server = await live_server()
    async with server.client() as client, client.stream("GET", "/console/figures") as stream:
        told = (json.loads(line[6:]) async for line in stream.aiter_lines() if line.startswith("data: "))
        before = await anext(told)
        for _ in range(3):
            await client.get("/api/items")
            await client.get("/console")
        wanted = before["requests_total"] + 3
        while (after := await anext(told))["requests_total"] < wanted:
            pass
    assert after["requests_total"] == wanted
    assert sum(number for _, number in after["durations"]) == after["requests_total"]


async def test_a_page_is_logged_once_with_all_its_queries(
    client: "httpx.AsyncClient", logs: "list[MutableMapping[str, Any]]"
) -> None:
    page = await client.get("/console")

    def told() -> "list[MutableMapping[str, Any]]":
        return [each for each in logs if each["event"] == "http.request"]

    await wait_for(told)
    assert [(each["path"], each["request_id"]) for each in told()] == [
        ("/console", page.headers["x-request-id"])
    ]
    assert told()[0]["queries"] >= 6


async def test_a_page_counts_once_for_the_rate_limit_whatever_it_asks_for(running_app: "RunningApp") -> None:
    async with running_app(rate_limit_max=5) as client:
        left = [(await client.get("/console")).headers["ratelimit-remaining"] for _ in range(5)]
        assert left == ["4", "3", "2", "1", "0"]
        assert (await client.get("/console")).status_code == 429


async def test_a_filter_answers_a_script_with_the_rows_alone(client: "httpx.AsyncClient") -> None:
    await client.post("/api/items", json=ITEM)
    await client.post("/api/items", json={**ITEM, "title": "Light mode"})
    part = await client.get("/console/items", params={"q": "dark"}, headers={"hx-request": "true"})
    assert "<html" not in part.text
    assert "Dark mode" in part.text
    assert "Light mode" not in part.text


async def test_a_refusal_is_a_page_for_people_and_a_toast_for_scripts(client: "httpx.AsyncClient") -> None:
    page = await client.get("/console/jobs/nowhere")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    toast = await client.get("/console/jobs/nowhere", headers={"hx-request": "true"})
    assert '"tone":"bad"' in toast.headers["hx-trigger"]


async def test_keys_beyond_a_page_are_listed_on_the_next(running_app: "RunningApp", db: "Database") -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "admin", "root")
        for number in range(104):
            await make_key(db, "read", f"holder-{number:03}")
        page, seen = "/console/keys", set[str]()
        for _ in range(2):
            shown = (await client.get(page)).text
            seen |= set(re.findall(r"holder-\d+", shown))
            if more := re.search(r'href="(/console/keys\?[^"]*cursor=[^"]+)"', shown):
                page = unescape(more[1])
        assert len(seen) == 104
        assert "Back to the newest" in shown


@pytest.mark.parametrize("state", ["", "failed"])
async def test_a_list_of_jobs_is_renewed_on_the_page_that_it_is(
    client: "httpx.AsyncClient", connection: "Connection", state: str
) -> None:
    await connection.execute(
        "INSERT INTO jobs (id, kind, state, actor, arguments, created_at, finished_at) "
        "SELECT gen_random_uuid(), 'import.lowdb', 'failed', 'ana', '{}', moment, moment "
        "FROM generate_series('2025-01-01', '2025-01-01T00:00:44', interval '1 s') AS moment"
    )
    link = re.compile(r'"/console/jobs/([0-9a-f-]{36})"')
    first = (await client.get("/console/jobs", params={"state": state})).text
    onward = re.search(r'href="(/console/jobs\?[^"]*cursor=[^"]+)"', first)
    assert onward is not None
    for shown, rows in ((first, 30), ((await client.get(unescape(onward[1]))).text, 15)):
        renewed = re.search(r'<div id="rows" hx-get="([^"]+)"', shown)
        assert renewed is not None
        again = (await client.get(unescape(renewed[1]), headers={"hx-request": "true"})).text
        assert link.findall(again) == link.findall(shown)
        assert len(link.findall(shown)) == rows


async def test_a_row_without_changes_and_a_filter_without_a_match_say_so(
    client: "httpx.AsyncClient", connection: "Connection"
) -> None:
    made = await client.post("/api/items", json=ITEM)
    page = f"/console/items/item?id={made.json()['data']['id']}"
    no_match = await client.get("/console/activity?actor=nobody")
    assert "No change matches the filter." in no_match.text
    await connection.execute("SET session_replication_role = replica; DELETE FROM audit_entries; RESET ALL")
    shown = (await client.get(page)).text
    assert "No changes yet." in shown
    live = re.search(r'hx-get="(/console/activity[^"]+)"', shown)
    assert live is not None
    assert "No changes yet." in (await client.get(unescape(live[1]), headers={"hx-request": "true"})).text
    assert "Nothing has been changed yet." in (await client.get("/console/activity")).text


async def test_the_activity_tells_what_a_row_is_called(client: "httpx.AsyncClient") -> None:
    kept = (await client.post("/api/items", json=ITEM)).json()["data"]["id"]
    await client.put(f"/api/items/{kept}", json={"status": "review"})
    system = {"name": "Orders", "description": "Takes orders", "status": "planned"}
    gone = (await client.post("/api/v1/systems", json=system)).json()["data"]["id"]
    await client.put(f"/api/v1/systems/{gone}", json={"status": "online"})
    await client.delete(f"/api/v1/systems/{gone}")
    shown = (await client.get("/console/activity")).text
    assert shown.count(f'<a class="strong" href="/console/items/item?id={kept}">Dark mode</a>') == 2
    assert "<span>Orders</span>" in shown
    assert f'href="/console/systems/{gone}"' not in shown


def test_words_of_the_api_are_those_of_people() -> None:
    for given, told in (
        ("api", "API"),
        ("csv", "CSV"),
        ("in_progress", "In progress"),
        ("jobs.run", "Jobs run"),
    ):
        assert word(given) == told
    for template in (*TEMPLATES, FOLDER / "texts.toml"):
        assert not re.search(r"\bApi\b|\bCsv\b|\bUrl\b", template.read_text(encoding="utf-8"))
