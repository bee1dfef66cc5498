"""Values of the items' list in a real browser, after they were refused; and secrets without a clipboard."""

from typing import TYPE_CHECKING

import pytest

from tests.console.rows import IDEA, ITEM, make, program, server
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer

if TYPE_CHECKING:
    import httpx

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow


async def test_a_refused_value_is_saved_by_leaving_it_once_it_is_mended(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/items", ITEM)
    page = await open_page(server)
    await page.goto("/console/items")
    await page.get_by_role("button", name="Title: Dark mode. Edit").click()
    await page.keyboard.type(" ")
    await page.keyboard.press("Enter")
    await page.locator("td .fault").get_by_text("Title: ").wait_for()
    await page.keyboard.type("Night mode")
    assert await page.locator("td .fault").is_hidden()
    assert await page.locator("[aria-invalid]").count() == 0
    await page.get_by_role("heading", name="Items").click()
    await page.get_by_role("button", name="Title: Night mode. Edit").wait_for()
    assert (await program.get(place)).json()["data"]["title"] == "Night mode"


async def test_a_secret_is_selected_where_scripts_have_no_clipboard(
    server: LiveServer, open_page: OpenPage
) -> None:
    page = await open_page(server)
    await page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await page.goto("/console/webhooks")
    await page.get_by_label("URL").fill("http://127.0.0.1:1/hook")
    await page.get_by_role("button", name="Make a webhook").click()
    await page.get_by_role("button", name="Copy").click()
    await page.get_by_role("button", name="It is selected: copy it").wait_for()
    selected = await page.evaluate("getSelection().toString().trim()")
    assert selected == await page.locator("#once-shown").inner_text()


async def test_going_back_and_sending_the_same_again_makes_no_twin(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await page.goto("/console/new/idea")
    for title, total in (("Guide", 1), ("Guide", 1), ("Other", 2)):
        await page.get_by_label("Title").fill(title)
        await page.get_by_label("Description").fill(IDEA["description"])
        await page.get_by_label("Category").select_option("docs")
        await page.get_by_role("button", name="Make the idea").click()
        await page.get_by_role("heading", name=title, level=1).wait_for()
        assert (await program.get("/api/v1/ideas?limit=1")).json()["total"] == total
        await page.go_back()
