"""Parts that are renewed by themselves, in a real browser: what a person has done to them stays, and what
sums them up says the same.
"""

import re
from typing import TYPE_CHECKING

import pytest

from tests.console.rows import IDEA, ITEM, SYSTEM, make, program, server
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Page

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow

STREAM = re.compile("/changes/events")


async def open_live(page: "Page", path: str) -> None:
    """Open a page whose stream has begun: the first one may be behind the page."""
    await page.goto(path)
    async with page.expect_response(STREAM):
        await page.reload()


@pytest.mark.parametrize("of_row", [False, True])
async def test_what_a_person_folds_and_unfolds_stays_so(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, of_row: bool
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    await program.put(place, json={"priority": "low"})
    page = await open_page(server)
    await open_live(page, place.replace("/api/v1", "/console") if of_row else "/console/activity")
    entry = page.locator("#entries li")
    changed, made = (
        entry.filter(has_text=action).locator("details").first for action in ("Updated", "Created")
    )
    assert (await changed.get_attribute("open"), await made.get_attribute("open")) == ("", None)
    await changed.locator("summary").click()
    await made.locator("summary").click()
    for number, status in enumerate(("triage", "review"), 3):
        await program.put(place, json={"status": status})
        await entry.nth(number - 1).wait_for()
    assert await entry.first.locator("details").get_attribute("open") == ""
    states = await entry.locator("details").evaluate_all("all => all.map(each => each.open)")
    assert states == [True, True, False, True]


async def test_how_many_systems_are_well_is_renewed_with_their_list(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await open_live(page, "/console/systems")
    counts = page.locator("#counts")
    assert await counts.is_hidden()
    url = {"url": "http://127.0.0.1:1/health", "status": "online"}
    await make(program, "/api/v1/systems", {**SYSTEM, **url})
    await make(program, "/api/v1/systems", {**SYSTEM, "name": "Other", "description": "Else"})
    await counts.get_by_text("1 Planned").wait_for()
    assert [await each.inner_text() for each in await counts.get_by_role("listitem").all()] == [
        *("1 Online", "0 Degraded", "0 Offline", "1 Planned")
    ]
    await page.get_by_label("Search").fill("orders")
    await page.get_by_text("1 system", exact=True).wait_for()
    await page.get_by_role("button", name="Check now: Orders").click()
    await counts.get_by_text("1 Offline").wait_for()
    await counts.get_by_text("0 Online").wait_for()
    assert await page.locator("#rows #counts").count() == 0
    assert await page.locator("#counts").count() == 1


async def test_how_a_webhook_fares_is_renewed_with_its_deliveries(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    hook = await make(program, "/api/v1/webhooks", {"url": "http://127.0.0.1:1/hook", "entity": "item"})
    page = await open_page(server)
    await page.goto(hook.replace("/api/v1", "/console"))
    state = page.locator("#state")
    assert await state.inner_text() == "On"
    await make(program, "/api/items", ITEM)
    await state.get_by_text("Failing").wait_for()
    assert await page.locator("#state").count() == 1
    await page.get_by_label("URL").fill("https://elsewhere.example/hook")
    async with page.expect_response(lambda answer: answer.url.endswith("cursor=")):
        pass
    assert await page.get_by_label("URL").input_value() == "https://elsewhere.example/hook"


async def test_a_job_that_begins_appears_in_a_list_in_which_nothing_ran(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await page.goto("/console/jobs")
    await page.get_by_text("No job has run yet.").wait_for()
    file = {"file": ("ours.json", b'{"items": []}')}
    assert (await program.post("/api/v1/imports", data={"source": "lowdb"}, files=file)).status_code == 202
    row = page.get_by_role("row").filter(has_text="Import of ours.json")
    await row.get_by_text("Succeeded").wait_for()


async def test_escape_leaves_a_conflict_as_it_is_now_and_shows_it(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/items", ITEM)
    page = await open_page(server)
    await page.goto("/console/items?status=new")
    await program.put(place, json={"title": "Theirs"})
    await page.get_by_role("button", name="Title: Dark mode. Edit").click()
    await page.keyboard.type("Mine")
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Title: Theirs. Edit").click()
    assert page.url.endswith("/console/items?status=new")
    await page.keyboard.type("After them")
    await page.keyboard.press("Enter")
    await page.get_by_role("status").get_by_text("Saved").wait_for()
    assert (await program.get(place)).json()["data"]["title"] == "After them"


async def test_a_question_whose_form_has_gone_meanwhile_says_that_nothing_was_done(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/items", ITEM)
    page = await open_page(server)
    await page.goto(f"/console/items/item?id={place.rpartition('/')[2]}")
    await page.get_by_role("button", name="Delete").click()
    await page.evaluate("document.querySelector('form[action^=\"/console/delete/\"]').remove()")
    await page.get_by_role("button", name="Yes, go on").click()
    await page.get_by_role("status").get_by_text("Nothing was done").wait_for()
    assert (await program.get(place)).status_code == 200
