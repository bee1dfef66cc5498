"""The console in a real browser: every page in both schemes and sizes, and whole ways through it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio

from features.imports.tests.registry.archives import GUIDE, packed, registry
from features.keys.tests.factories import make_key
from tests.console.axe import faults_of
from tests.fixtures.browser import OpenPage
from tests.fixtures.commands import Handover
from tests.fixtures.servers import LiveServer, StartServer

if TYPE_CHECKING:
    from playwright.async_api import Page

    from core.database.client import Database

pytestmark = pytest.mark.slow

PAGES = ("", "/items", "/takeover", "/activity", "/jobs", "/keys", "/sign-in")
ITEM = {"title": "Dark mode", "description": "At night", "category": "dashboard", "priority": "low"}
STORED = {**ITEM, "status": "new", "tags": [], "createdAt": "2025-10-23T22:46:19.740Z"}
LIBRARY = {"items": [{**STORED, "id": "1"}, {**STORED, "id": "2", "title": " "}], "users": []}


@pytest_asyncio.fixture(loop_scope="session")
async def server(live_server: StartServer, db: "Database") -> AsyncIterator[LiveServer]:
    yield await live_server({"AUTH": "keys"})


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.json"
    path.write_text(json.dumps(LIBRARY))
    return path


async def sign_in(page: "Page", db: "Database", scope: Literal["read", "write", "admin"] = "admin") -> str:
    """Sign in with a new key, by keyboard; returns the key."""
    key = (await make_key(db, scope, "ada")).key
    await page.goto("/console")
    await page.get_by_label("API key").press_sequentially(key)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Overview").wait_for()
    return key


async def test_every_page_is_accessible_and_fits(
    server: LiveServer, db: "Database", open_page: OpenPage, handover: Handover, library: Path
) -> None:
    await handover("demo")
    await handover("import", "lowdb", str(library))
    page = await open_page(server)
    await page.goto("/console/sign-in")
    assert await faults_of(page) == []
    await sign_in(page, db)
    await page.goto("/console/takeover")
    run = await page.locator("tbody a").first.get_attribute("href")
    assert run is not None
    for path in (*(f"/console{each}" for each in PAGES), run, run.replace("takeover", "jobs")):
        await page.goto(path)
        assert await faults_of(page) == [], path


async def test_a_file_is_taken_over_and_back_as_the_guide_does_it(
    server: LiveServer, db: "Database", open_page: OpenPage, library: Path
) -> None:
    page = await open_page(server)
    await sign_in(page, db)
    await page.get_by_role("link", name="Takeover", exact=True).click()
    await page.get_by_label("The old service's file").set_input_files(library)
    await page.get_by_role("button", name="Dry run").click()
    run = page.locator("#run")
    await run.get_by_text("would come in").wait_for()
    assert "items[1]" in await run.inner_text()
    assert "users" in await run.inner_text()
    for kind in ("systems", "lowdb"):
        await page.get_by_label("What the file is").select_option(kind)
        await run.get_by_role("button", name="Start the import").wait_for(state="detached")
    await page.get_by_role("button", name="Dry run").click()
    await run.get_by_role("button", name="Start the import").click()
    await run.get_by_text("Done, and compared with the source row by row.").wait_for()
    await page.locator("#imports").get_by_role("link", name="library.json").first.click()
    await page.get_by_role("button", name="See what would go").click()
    await page.get_by_text("Nothing was changed.").wait_for()
    await page.get_by_role("button", name="Take it back").click()
    await page.get_by_role("button", name="Keep it").click()
    assert await page.get_by_text("Nothing was changed.").count() == 1
    await page.get_by_role("button", name="Take it back").click()
    await page.get_by_role("button", name="Yes, go on").click()
    await page.get_by_text("It is taken back.").wait_for()
    await page.get_by_role("link", name="Items").click()
    await page.get_by_text("No item here yet.").wait_for()


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_the_old_registry_and_a_spreadsheet_come_in_and_are_compared(
    server: LiveServer, db: "Database", open_page: OpenPage, tmp_path: Path, size: str
) -> None:
    page = await open_page(server, size=size)
    await sign_in(page, db)
    old, sheet, run = tmp_path / "old.zip", tmp_path / "ours.csv", page.locator("#run")
    old.write_bytes(
        packed({f"old/{name}": data for name, data in registry().items()} | {"uploads/guide.md": GUIDE})
    )
    sheet.write_text("Name;description;category;priority\nDark pages;At night;docs;high\n;;docs;low\n")

    async def chosen(what: str, file: Path, button: str, told: str) -> None:
        await page.goto("/console/takeover")
        await page.get_by_label("What the file is").select_option(what)
        assert await page.get_by_text("The ZIP file has").is_visible() == (what == "questdb")
        columns = page.get_by_label("Columns of a spreadsheet by field")
        assert await columns.is_visible() == (file is sheet)
        if file is sheet:
            await columns.fill("title=Name")
        await page.get_by_label("The old service's file").set_input_files(file)
        await page.locator("#takeover").get_by_role("button", name=button).click()
        await run.get_by_text(told).wait_for()
        assert await faults_of(page, size) == [], told

    await chosen("questdb", old, "Dry run", "Nothing was written.")
    await run.get_by_role("button", name="Start the import").click()
    await run.get_by_text("Done, and compared with the source row by row.").wait_for()
    await chosen("questdb", old, "Compare with what is here", "No difference.")
    await chosen("ideas", sheet, "Dry run", "The first rows as they would come in")
    assert await run.get_by_role("cell", name="Dark pages").count() == 1
    await chosen("ideas", sheet, "Start the import", "Done, and compared with the source row by row.")
    async with page.expect_download() as download:
        await run.get_by_role("link", name="The same as a sheet to mend").click()
    assert (await (await download.value).path()).read_text().splitlines()[0].startswith("path,reason,Name")
    await chosen("questdb", old, "Compare with what is here", "Some of it differs.")
    assert await run.get_by_text("only here").count() > 0


async def test_a_change_appears_by_itself_with_who_made_it(
    server: LiveServer, db: "Database", open_page: OpenPage
) -> None:
    page = await open_page(server)
    key = await sign_in(page, db)
    async with server.client(headers={"authorization": f"Bearer {key}"}) as program:
        place = (await program.post("/api/items", json=ITEM)).headers["location"]
        await page.goto("/console/activity?action=updated")
        await page.get_by_text("No change matches the filter.").wait_for()
        await program.put(place, json={"status": "review"}, headers={"x-user-id": "grace"})
    entry = page.locator("#entries li").first
    await entry.wait_for()
    told = await entry.inner_text()
    for part in ("Updated", "ada (grace)", "Status", "New", "Review"):
        assert part in told
    assert await entry.locator(".before").first.inner_text() == "New"


async def test_a_key_is_shown_once_used_and_revoked(
    server: LiveServer, db: "Database", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await sign_in(page, db)
    await page.goto("/console/keys")
    await page.get_by_label("Who will hold it").fill("dashboard")
    await page.get_by_role("button", name="Make the key").click()
    made = await page.locator("#once-shown").inner_text()
    async with server.client(headers={"authorization": f"Bearer {made}"}) as program:
        assert (await program.get("/api/items")).status_code == 200
        await page.goto("/console/keys")
        assert made not in await page.content()
        row = page.get_by_role("row").filter(has_text="dashboard")
        await row.get_by_role("button", name="Revoke").click()
        await page.get_by_role("button", name="Yes, go on").click()
        await page.get_by_text("The key is revoked").wait_for()
        assert (await program.get("/api/items")).status_code == 401
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out").wait_for()


async def test_the_plots_follow_what_is_asked_of_the_service(
    server: LiveServer, db: "Database", open_page: OpenPage
) -> None:
    page = await open_page(server)
    key = await sign_in(page, db)
    latency, nothing = page.locator("[data-plot=latency] output"), "\N{EN DASH}"
    async with server.client(headers={"authorization": f"Bearer {key}"}) as program:
        for _ in range(200):
            await program.get("/api/items")
            if await latency.inner_text() != nothing:
                break
            await page.wait_for_timeout(50)
    assert " / " in await latency.inner_text()
    assert await page.locator("#plots canvas").count() == 5


async def test_all_of_it_goes_by_keyboard(server: LiveServer, db: "Database", open_page: OpenPage) -> None:
    page = await open_page(server)
    await sign_in(page, db)

    async def focused() -> str:
        text: str = await page.evaluate("document.activeElement.innerText")
        return text.strip()

    await page.keyboard.press("Tab")
    assert await focused() == "Skip to the content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.goto("/console")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await focused() == "Keys":
            break
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/keys")
    await page.get_by_label("Who will hold it").focus()
    await page.keyboard.type("dashboard")
    await page.keyboard.press("Enter")
    await page.get_by_text("Here is the key, this once").wait_for()


async def test_without_scripts_the_forms_still_work(
    server: LiveServer, db: "Database", open_page: OpenPage, library: Path
) -> None:
    page = await open_page(server, scripts=False)
    await sign_in(page, db)
    await page.goto("/console/takeover")
    await page.get_by_label("The old service's file").set_input_files(library)
    await page.get_by_role("button", name="Start the import").click()
    await page.wait_for_url("**/console/takeover/*")
    while await page.get_by_text("Done, and compared").count() == 0:
        await page.reload()
    await page.goto("/console/items?q=dark")
    await page.get_by_text("1 item", exact=True).wait_for()


async def test_a_revoked_key_ends_the_page_that_is_open(
    server: LiveServer, db: "Database", open_page: OpenPage
) -> None:
    page = await open_page(server)
    key = await sign_in(page, db, "read")
    admin = await make_key(db, "admin", "root")
    await page.goto("/console/items")
    async with server.client(headers={"authorization": f"Bearer {admin.key}"}) as program:
        assert (await program.delete(f"/api/v1/keys/{key.split('_')[1]}")).status_code == 200
    await page.get_by_label("Status").select_option("new")
    await page.wait_for_url(re.compile("/console/sign-in"))


async def test_a_live_part_that_cannot_be_loaded_says_so(
    server: LiveServer, db: "Database", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await sign_in(page, db)
    await page.goto("/console/systems")
    told, path = page.locator("#rows").get_by_text("what it shows may be old"), re.compile(r"/systems\??$")
    await page.route(path, lambda route: route.abort())
    await page.evaluate("setInterval(() => htmx.trigger('#rows', 'live'), 200)")
    await told.wait_for()
    await page.unroute(path)
    await told.wait_for(state="detached")
