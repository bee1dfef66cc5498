"""Writers and readers that never stop, and remember what they were promised."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import asyncpg
import httpx

from tests.fixtures.waiting import wait_for

REFUSED = frozenset({503, 429})
PAUSE_S = 0.02
"""What a client waits after a refusal, so that the load stays bounded."""

ITEM = {"description": "Written under load", "category": "dashboard", "priority": "low", "tags": ["load"]}


@dataclass
class Load:
    """Clients of one or more servers, from `async with` to its end.

    `titles` holds for each acknowledged item every title that it may have now: one, or two after an update
    whose answer never came.
    """

    base_urls: Sequence[str]
    writers: int = 4
    readers: int = 4
    answered: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    titles: dict[str, set[str]] = field(default_factory=dict)
    last_success: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        for number in range(self.writers + self.readers):
            url = self.base_urls[number % len(self.base_urls)]
            client = httpx.AsyncClient(base_url=url, timeout=15)
            self._clients.append(client)
            work = self._write(client, number) if number < self.writers else self._read(client)
            self._tasks.append(asyncio.create_task(work))
        await wait_for(lambda: len(self.titles) >= 20, 30, message="no load")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        for client in self._clients:
            await client.aclose()

    async def recovered(self, since: float, timeout: float = 30.0) -> float:
        """Seconds from `since` (time.perf_counter) until a write that was sent later succeeded."""
        await wait_for(
            lambda: self.last_success >= since, timeout, message=f"no recovery; wrong: {self.wrong[:3]}"
        )
        return time.perf_counter() - since

    async def lost(self, database_url: str) -> list[str]:
        """Acknowledged writes that the database does not hold."""
        connection = await asyncpg.connect(database_url)
        try:
            rows = await connection.fetch("SELECT id, title FROM items")
        finally:
            await connection.close()
        stored = {row["id"]: row["title"] for row in rows}
        return [item for item, titles in self.titles.items() if stored.get(item) not in titles]

    async def _write(self, client: httpx.AsyncClient, number: int) -> None:
        for turn in itertools.count():
            if self._stop.is_set():
                return
            title = f"writer {number} turn {turn}"
            sent = time.perf_counter()
            answer = await self._send(client, "POST", "/api/items", {**ITEM, "title": title}, 201)
            if answer is None:
                continue
            item: str = answer.json()["data"]["id"]
            self.titles[item] = {title}
            self.last_success = max(self.last_success, sent)
            self.titles[item].add(f"{title}, changed")
            answer = await self._send(
                client, "PUT", f"/api/items/{item}", {"title": f"{title}, changed"}, 200
            )
            if answer is not None:
                self.titles[item].discard(title)

    async def _read(self, client: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            item = next(reversed(self.titles), None)
            if item is None:
                await self._send(client, "GET", "/api/items?limit=20", None, 200)
                continue
            before = set(self.titles[item])
            answer = await self._send(client, "GET", f"/api/items/{item}", None, 200)
            if answer is not None and answer.json()["data"]["title"] not in before | self.titles[item]:
                self.wrong.append(f"{item} reads {answer.json()['data']['title']!r}, promised {before}")

    async def _send(
        self, client: httpx.AsyncClient, method: str, path: str, body: object, expected: int
    ) -> httpx.Response | None:
        """The answer when it is the expected one. A refusal is followed by a pause, as a client would."""
        try:
            answer = await client.request(method, path, json=body)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == expected:
            self.answered += 1
            return answer
        if answer is None or answer.status_code in REFUSED:
            self.refused += 1
            if answer is not None and "retry-after" not in answer.headers:
                self.wrong.append(f"{method} {path}: {answer.status_code} without Retry-After")
        else:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(PAUSE_S)
        return None
