"""A browser whose session has ended in another tab."""

from typing import TYPE_CHECKING

import pytest

from tests.console.axe import audit
from tests.console.rows import IDEA, card, column
from tests.console.test_browser import server, sign_in
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer

if TYPE_CHECKING:
    from core.database.client import Database

__all__ = ["server"]
pytestmark = pytest.mark.slow


async def test_nothing_that_was_typed_is_lost_and_no_page_goes_away_by_itself(
    server: LiveServer, open_page: OpenPage, db: "Database"
) -> None:
    page = await open_page(server)
    key = await sign_in(page, db)
    async with server.client(headers={"authorization": f"Bearer {key}"}) as program:
        place = (await program.post("/api/v1/ideas", json=IDEA)).headers["location"]
        board, one = await page.context.new_page(), page
        await board.goto("/console/ideas")
        await one.goto(place.replace("/api/v1", "/console"))
        await one.get_by_label("Description").fill("All my words")
        await page.context.clear_cookies()
        await card(board).get_by_role("link").focus()
        await board.keyboard.press("Shift+ArrowRight")
        await board.get_by_text("you are signed out").wait_for()
        assert await column(board, "New").get_by_role("link", name="Guide").count() == 1
        await one.evaluate("htmx.trigger(document.getElementById('entries'), 'live')")
        await one.get_by_text("you are signed out").wait_for()
        await one.get_by_role("button", name="Save").click()
        await one.get_by_role("heading", name="Nothing was done: you are signed out").wait_for()
        assert await audit(one) == []
        async with page.context.expect_page() as opened:
            await one.get_by_role("link", name="Sign in in a new tab").click()
        tab = await opened.value
        await tab.get_by_label("API key").fill(key)
        await tab.keyboard.press("Enter")
        await tab.get_by_role("heading", name="Guide").wait_for()
        await one.get_by_role("button", name="Send it again").click()
        await one.get_by_role("button", name="Try again").click()
        await one.get_by_text("Saved").wait_for()
        assert (await program.get(place)).json()["data"]["description"] == "All my words"
