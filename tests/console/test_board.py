"""The board of ideas in a real browser: by pointer and keyboard, and with others at it."""

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.console.axe import audit
from tests.console.rows import IDEA, SYSTEM, card, column, make, program, server
from tests.console.test_browser import sign_in
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer, StartServer

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Page, Route

    from core.database.client import Database

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow

STREAM = re.compile("/changes/events")


async def quiet(page: "Page") -> None:
    """Let nothing appear by itself, so that the page shows an older state than the service has: its stream
    never opens.
    """

    await page.route(STREAM, lambda _: None)


async def status_of(program: "httpx.AsyncClient", place: str) -> str:
    return str((await program.get(place)).json()["data"]["status"])


async def test_a_card_moves_by_keyboard_keeps_the_focus_and_is_announced(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    other = await make(program, "/api/v1/ideas", {**IDEA, "title": "Other", "status": "review"})
    await make(program, "/api/v1/ideas", {**IDEA, "title": "First"})
    page = await open_page(server)
    await page.goto("/console/ideas")
    await card(page).get_by_role("link").focus()
    for status, name in (("triage", "Triage"), ("in_progress", "In progress"), ("review", "Review")):
        await page.keyboard.press("Shift+ArrowRight")
        await page.get_by_role("status").get_by_text(f"“Guide” is in {name} now").wait_for()
        assert await status_of(program, place) == status
        assert await page.evaluate("document.activeElement.innerText") == "Guide"
        assert await column(page, name).get_by_role("link", name="Guide", exact=True).count() == 1
    for key, title in (("ArrowLeft", "First"), ("ArrowRight", "Guide"), ("ArrowDown", "Other")):
        await page.keyboard.press(key)
        assert await page.evaluate("document.activeElement.innerText") == title
    await page.keyboard.press("Shift+ArrowLeft")
    await page.get_by_text("“Other” is in In progress now").wait_for()
    assert await status_of(program, other) == "in_progress"
    assert await column(page, "Review").locator(".count").inner_text() == "1"
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Other", level=1).wait_for()


async def test_a_card_moves_by_dragging_and_by_its_menu(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    page = await open_page(server)
    await page.goto("/console/ideas")
    await card(page).drag_to(column(page, "Triage"))
    await page.get_by_text("“Guide” is in Triage now").wait_for()
    assert await status_of(program, place) == "triage"
    await card(page).hover()
    await page.get_by_role("button", name="Move “Guide”").click()
    assert await page.get_by_role("menuitem", name="Triage").is_disabled()
    await page.keyboard.press("Escape")
    assert await page.get_by_role("menu").count() == 0
    await page.keyboard.press("Enter")
    await page.get_by_role("menuitem", name="Completed").click()
    await page.get_by_text("“Guide” is in Completed now").wait_for()
    assert await status_of(program, place) == "completed"


@pytest.mark.parametrize("mine", [True, False])
async def test_a_card_that_somebody_else_moved_shows_both_versions_and_asks(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, mine: bool
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    page = await open_page(server)
    await quiet(page)
    await page.goto("/console/ideas?priority=high")
    await program.put(place, json={"status": "rejected"})
    await card(page).get_by_role("link").focus()
    await page.keyboard.press("Shift+ArrowRight")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("Changed by somebody else meanwhile").wait_for()
    assert await audit(page) == []
    assert await dialog.locator(".version").all_inner_texts() == ["Rejected", "Triage"]
    assert "grace" in await dialog.inner_text()
    assert await status_of(program, place) == "rejected"
    if mine:
        await dialog.get_by_role("button", name="Write my version").click()
    else:
        await dialog.get_by_role("link", name="Leave it as it is now").click()
    kept = column(page, "Triage" if mine else "Rejected")
    await kept.get_by_role("link", name="Guide", exact=True).wait_for()
    assert page.url.endswith("/console/ideas?priority=high")
    assert await status_of(program, place) == ("triage" if mine else "rejected")


async def test_a_card_that_others_move_moves_by_itself_and_filters_hide_cards(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    system = await make(program, "/api/v1/systems", SYSTEM)
    place = await make(program, "/api/v1/ideas", {**IDEA, "systemId": system.rpartition("/")[2]})
    await make(program, "/api/v1/ideas", {**IDEA, "title": "Other", "priority": "low"})
    page = await open_page(server)
    await page.goto("/console/ideas")
    async with page.expect_response(STREAM):
        await page.reload()
    await program.put(place, json={"status": "review"})
    await column(page, "Review").get_by_role("link", name="Guide", exact=True).wait_for()
    await page.get_by_label("System").select_option("Orders")
    await card(page, "Other").wait_for(state="detached")
    await page.get_by_label("System").select_option("All")
    await page.get_by_label("Search").fill("oth")
    await card(page).wait_for(state="detached")
    assert await card(page, "Other").count() == 1
    assert "search=oth" in page.url


async def test_who_may_only_read_is_offered_no_change(
    live_server: StartServer, db: "Database", open_page: OpenPage
) -> None:
    server = await live_server({"AUTH": "keys"})
    page = await open_page(server)
    await sign_in(page, db, "admin")
    await page.goto("/console/new/idea")
    await page.get_by_label("Title").fill("Guide")
    await page.get_by_label("Description").fill("One page")
    await page.get_by_label("Category").select_option("docs")
    await page.get_by_role("button", name="Make the idea").click()
    await page.get_by_text("It is made").wait_for()
    reader = await open_page(server)
    await sign_in(reader, db, "read")
    await reader.goto("/console/ideas")
    await card(reader).get_by_role("link").focus()
    await reader.keyboard.press("Shift+ArrowRight")
    assert await column(reader, "New").get_by_role("link", name="Guide").count() == 1
    assert await reader.get_by_role("button", name="Move").count() == 0
    await reader.keyboard.press("Enter")
    await reader.get_by_role("heading", name="Guide", level=1).wait_for()
    assert await reader.get_by_role("main").get_by_role("button").count() == 0


async def test_a_long_name_does_not_make_a_card_wider_than_its_column(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    name = "A system with quite a long name, as they have it"
    system = await make(program, "/api/v1/systems", {**SYSTEM, "name": name})
    long = {"systemId": system.rpartition("/")[2], "assignedTo": "w" * 60, "title": "W" * 90}
    await make(program, "/api/v1/ideas", {**IDEA, **long})
    for size in ("desk", "phone"):
        page = await open_page(server, size=size)
        await page.goto("/console/ideas")
        wide = ".cards, .idea, .idea > *:not(.move)"
        found = await page.locator(wide).evaluate_all(
            "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.className)"
        )
        assert found == [], size


async def test_a_card_that_is_on_its_way_takes_the_next_moves_too(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    page = await open_page(server)
    await page.goto("/console/ideas")
    await card(page).get_by_role("link").focus()
    for _ in range(4):
        await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("Shift+ArrowLeft")
    await page.get_by_text("“Guide” is in Review now").wait_for()
    assert await status_of(program, place) == "review"
    assert await column(page, "Review").get_by_role("link", name="Guide").count() == 1
    assert await page.locator(".count").all_inner_texts() == ["0", "0", "0", "1", "0", "0"]
    assert await page.evaluate("document.activeElement.innerText") == "Guide"


async def test_a_board_that_comes_while_a_card_is_on_its_way_is_not_shown(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    """It was made before the card's move was written."""
    await make(program, "/api/v1/ideas", IDEA)
    page = await open_page(server)
    await page.goto("/console/ideas")
    held = asyncio.Event()

    async def hold(route: "Route") -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/console/save/idea*", hold)
    await card(page).get_by_role("link").focus()
    await page.keyboard.press("Shift+ArrowRight")
    await page.evaluate(
        """() => new Promise((come) => {
            document.addEventListener("htmx:before:swap", () => setTimeout(come), { once: true });
            htmx.trigger(document.querySelector("form[hx-target='#board']"), "renew");
        })"""
    )
    held.set()
    await page.get_by_role("status").get_by_text("“Guide” is in Triage now").wait_for()
    assert await column(page, "Triage").get_by_role("link", name="Guide", exact=True).count() == 1
