"""Words without an end, in every text that a person or an old file may bring, on every page."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.console.pages import Rows, routes
from tests.console.rows import make, program, server
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Page

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow

WORD = "W" * 200
LONG = WORD * 5
PERSON = {"x-user-id": "P" * 60}
WIDTHS = (320, 375, 640, 641, 768, 1024, 1200, 1201, 1280, 1920)
ENDED = ("succeeded", "failed")
TAGS = ["t" * 50] * 6
IDEA = {
    "title": WORD,
    "description": LONG,
    "assignedTo": WORD,
    "category": "docs",
    "priority": "high",
    "tags": TAGS,
}
ITEM = {"title": WORD, "description": LONG, "category": "dashboard", "priority": "low", "tags": TAGS}
SYSTEM = {
    "name": WORD,
    "description": LONG,
    "status": "online",
    "url": f"https://{'h' * 60}.example/{LONG}",
    "tags": TAGS,
    "metadata": {WORD: LONG},
    **dict.fromkeys(("host", "category", "owner", "version", "icon", "color"), "w" * 100),
}
LIBRARY = {"items": [{**ITEM, "id": WORD, "title": "", "createdAt": "2025"}], LONG: [1], "o" * 500: []}


async def make_rows(program: "httpx.AsyncClient") -> Rows:
    """A row of each kind with words as long as they may be, changed once, and an import of a file of them."""

    async def made(path: str, values: dict[str, Any]) -> str:
        return (await make(program, path, values)).rpartition("/")[2]

    ids = {"system": await made("/api/v1/systems", SYSTEM), "item": await made("/api/items", ITEM)}
    ids["idea"] = await made("/api/v1/ideas", {**IDEA, "systemId": ids["system"]})
    ids["webhook"] = await made("/api/v1/webhooks", {"url": SYSTEM["url"], "description": LONG})
    links = {"idea_id": ids["idea"], "system_id": ids["system"], "description": "d" * 500}
    file = {"file": (f"{'f' * 190}.txt", b"x" * 70_000)}
    stored = await program.post("/api/v1/files/upload", files=file, data=links)
    ids["file"] = stored.json()["data"]["id"]
    await program.put(f"/api/v1/ideas/{ids['idea']}", json={"description": "V" * 900, "title": "V" * 200})
    library = {"file": (f"{'l' * 190}.json", json.dumps(LIBRARY).encode())}
    begun = await program.post("/api/v1/imports", data={"source": "lowdb"}, files=library)
    ids["job"] = begun.json()["data"]["id"]

    async def ended() -> bool:
        return (await program.get(f"/api/v1/jobs/{ids['job']}")).json()["data"]["state"] in ENDED

    await wait_for(ended, message="the import did not end")
    return Rows(ids)


async def overflowing(page: "Page", width: int) -> list[str]:
    """What is wider than a window of this width, or, at a desk or on a phone, sticks out of its card."""
    await page.set_viewport_size({"width": width, "height": 860})
    found: list[str] = await page.evaluate(
        """(cards) => [document.documentElement, ...document.querySelectorAll(cards)].filter((each) =>
            each.scrollWidth > each.clientWidth + 1
            || each.matches(".card") && each.scrollHeight > each.clientHeight + 1
        ).map((each) => `${each.tagName}.${each.className} ${each.scrollWidth}x${each.scrollHeight}`
            + ` in ${each.clientWidth}x${each.clientHeight}`)""",
        ".card, .side, .column" if width in (375, 1280) else ".side, .column",
    )
    return found


async def test_no_word_is_too_long_for_a_page(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    program.headers.update(PERSON)
    rows = await make_rows(program)
    page = await open_page(server)
    await page.context.add_cookies([{"name": "handover_name", "value": "N" * 60, "url": server.base_url}])
    wrong = []
    for path in (each for route in sorted(routes()) for each in rows.page(route)):
        await page.goto(path)
        for width in WIDTHS:
            wrong += [f"{path} at {width}: {found}" for found in await overflowing(page, width)]
    assert not wrong, "\n".join(wrong)
