"""What tests of records in a browser share: a server, a program beside it, and rows."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from tests.fixtures.servers import LiveServer, StartServer

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Locator, Page

    from core.database.client import Database

IDEA = {"title": "Guide", "description": "One page", "category": "docs", "priority": "high"}
ITEM = {"title": "Dark mode", "description": "At night", "category": "dashboard", "priority": "low"}
SYSTEM = {"name": "Orders", "description": "Takes orders", "status": "planned"}


@pytest_asyncio.fixture(loop_scope="session")
async def server(live_server: StartServer, db: "Database") -> AsyncIterator[LiveServer]:
    yield await live_server({"AUTH": "off"})


@pytest_asyncio.fixture(loop_scope="session")
async def program(server: LiveServer) -> AsyncIterator["httpx.AsyncClient"]:
    """A client of the API beside the browser, which signs as grace."""
    async with server.client(headers={"x-user-id": "grace"}) as client:
        yield client


async def make(program: "httpx.AsyncClient", path: str, values: dict[str, Any]) -> str:
    made = await program.post(path, json=values)
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def card(page: "Page", title: str = "Guide") -> "Locator":
    return page.locator(".idea").filter(has_text=title)


def column(page: "Page", name: str) -> "Locator":
    return page.get_by_role("region", name=name)
