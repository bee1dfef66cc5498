"""Leaving a page in a real browser: what was typed and not sent, or is being sent, is not lost unasked."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.console.rows import IDEA, ITEM, SYSTEM, make, program, server
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Dialog, Page, Route

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow


def answering(page: "Page", leave: list[bool]) -> None:
    """Answer the browser's questions before leaving, in this order; another one fails the test."""

    async def answer(dialog: "Dialog") -> None:
        assert dialog.type == "beforeunload"
        await (dialog.accept() if leave.pop(0) else dialog.dismiss())

    page.on("dialog", answer)


async def places(program: "httpx.AsyncClient") -> list[str]:
    item = (await make(program, "/api/items", ITEM)).rpartition("/")[2]
    made = [await make(program, "/api/v1/ideas", IDEA), await make(program, "/api/v1/systems", SYSTEM)]
    made.append(await make(program, "/api/v1/webhooks", {"url": "https://a.example/hook"}))
    own = [place.replace("/api/v1", "/console") for place in made]
    return [*own, f"/console/items/item?id={item}", "/console/new/idea", "/console/new/system"]


async def test_a_page_with_what_was_typed_is_left_when_the_person_says_so(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    leave: list[bool] = []
    answering(page, leave)
    jobs = page.get_by_role("link", name="Jobs", exact=True)
    for place in await places(program):
        await page.goto(place)
        await jobs.click()
        await page.wait_for_url("**/console/jobs")
        await page.goto(place)
        await page.locator("#f-description").fill("Typed")
        leave.extend([False, True])
        await jobs.click(no_wait_after=True)
        await wait_for(lambda: len(leave) == 1, message=place)
        assert await page.locator("#f-description").input_value() == "Typed"
        await jobs.click()
        await page.wait_for_url("**/console/jobs")
        assert leave == []


async def test_what_is_sent_is_not_asked_about_and_what_was_refused_is(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    leave: list[bool] = []
    answering(page, leave)
    await page.goto("/console/new/idea")
    await page.get_by_label("Title").fill("Guide")
    await page.get_by_label("Description").fill("One page")
    await page.get_by_label("Category").select_option("docs")
    await page.get_by_label("Hours, estimated").fill("5000")
    await page.get_by_role("button", name="Make the idea").click()
    await page.locator("#f-estimatedHours[aria-invalid=true]").wait_for()
    leave.append(False)
    await page.locator("h1").click()
    await page.get_by_role("link", name="Jobs", exact=True).click(no_wait_after=True)
    await wait_for(lambda: leave == [])
    await page.get_by_label("Hours, estimated").fill("5")
    await page.get_by_role("button", name="Make the idea").click()
    await page.get_by_role("heading", name="Guide", level=1).wait_for()
    await page.get_by_label("Title").fill("Guide of pages")
    await page.get_by_role("button", name="Save").dblclick()
    await page.get_by_role("heading", name="Guide of pages", level=1).wait_for()
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await page.wait_for_url("**/console/jobs")


async def test_a_file_that_is_on_its_way_is_not_left_unasked(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    page = await open_page(server)
    leave = [False]
    answering(page, leave)

    async def hold(route: "Route") -> None:
        if route.request.method == "POST":
            await wait_for(lambda: leave == [], message="nobody was asked")
        await route.continue_()

    await page.route("**/console/files", hold)
    await page.goto("/console/files")
    await page.locator("input[type=file]").set_input_files(file)
    await page.get_by_role("button", name="Upload").click()
    await page.get_by_role("progressbar", name="Sending").wait_for()
    await page.get_by_role("link", name="Jobs", exact=True).click(no_wait_after=True)
    await page.get_by_text("Files stored: 1").wait_for()
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await page.wait_for_url("**/console/jobs")
