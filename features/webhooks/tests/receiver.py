"""A receiver that somebody else could have written: it verifies with the specification's library."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.fixtures.sites import http

WEBHOOKS = "/api/v1/webhooks"
ITEM = {"title": "T", "description": "D", "category": "dashboard", "priority": "low"}


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """The payload. Raises WebhookVerificationError."""
        payload: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return payload

    @property
    def change(self) -> dict[str, Any]:
        """What it tells, not verified."""
        change: dict[str, Any] = json.loads(self.body)["data"]
        return change


Answer = Callable[[Request], Awaitable[bytes]]


async def accept(request: Request) -> bytes:
    return http(204, b"")


async def refuse(request: Request) -> bytes:
    return http(500)


async def hang(request: Request) -> bytes:
    await asyncio.Event().wait()
    return b""


@dataclass
class Receiver:
    """`answer` says what the next requests get; `requests` are those that came, in their order."""

    host: str = "127.0.0.1"
    port: int = 0
    answer: Answer = accept
    requests: list[Request] = field(default_factory=list)
    answered: list[Request] = field(default_factory=list)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.change["entityId"], each.change["action"]) for each in self.answered]

    def of(self, entity_id: str) -> list[dict[str, Any]]:
        return [each.change for each in self.answered if each.change["entityId"] == entity_id]

    def accepting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            request = Request(head.split(" ")[1], headers, body)
            self.requests.append(request)
            answer = await self.answer(request)
            if answer.split(b" ")[1].startswith(b"2"):
                self.answered.append(request)
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def running_receiver(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver = Receiver(host)
    server = await asyncio.start_server(receiver.accepting, host, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.serving:
            task.cancel()
        await asyncio.gather(*receiver.serving, return_exceptions=True)


async def subscribe(client: httpx.AsyncClient, url: str, **values: Any) -> dict[str, Any]:
    """The webhook with its secret."""
    made = await client.post(WEBHOOKS, json={"url": url, "entity": "item", **values})
    assert made.status_code == 201, made.text
    webhook: dict[str, Any] = made.json()["data"]
    return webhook


async def create_item(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/items", json=ITEM)
    assert made.status_code == 201, made.text
    return str(made.json()["data"]["id"])


async def retitle(client: httpx.AsyncClient, item_id: str, title: str) -> None:
    assert (await client.put(f"/api/items/{item_id}", json={"title": title})).status_code == 200


async def deliveries(client: httpx.AsyncClient, webhook_id: str, **query: Any) -> list[dict[str, Any]]:
    """Those of the oldest changes first."""
    answer = await client.get(f"{WEBHOOKS}/{webhook_id}/deliveries", params={"limit": 500, **query})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data[::-1]
