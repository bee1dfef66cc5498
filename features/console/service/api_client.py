"""Client of the service's own API, in this process: no rule of the API is repeated or passed by.

A call is over when its answer is complete; what the API does after an answer, as running a job, goes on
beside.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

import orjson

from core.http.request.context import SUBREQUEST
from core.platform import Platform
from features.console.errors import KeyEnded, Refused, Repeated
from features.console.schemas import Answer, Fault
from features.console.service.rendering import texts

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any
]

_JSON: Final = "application/json"
_HOST: Final = "localhost"
_NOT_KNOWN: Final = 401
_HELD: Final = 409
_BUSY: Final = re.compile(r"Job (\S+) has not ended yet, and \S+ cannot run beside it")


def place(collection: str, *parts: str) -> str:
    """Path below a collection of the API; `parts` are escaped."""
    return "/".join((collection, *(quote(part, safe="") for part in parts)))


@dataclass(slots=True)
class Calls:
    """Calls of a process that have not ended: the event loop itself would forget them."""

    platform: Platform
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Client for one person. `headers` say who it is, `client` is the person's address."""

    app: App
    calls: Calls
    headers: Mapping[str, str]
    client: str

    async def get(self, path: str, **query: object) -> Answer:
        """Raises Refused, and KeyEnded when the key is not valid any more. Empty parameters are left out."""
        return _checked(await self.call("GET", path, query=query))

    async def send(
        self,
        method: str,
        path: str,
        values: object = None,
        *,
        etag: str | None = None,
        once: str | None = None,
        **query: object,
    ) -> Answer:
        """Send JSON. `etag`: only if that is still the state; `once` is the idempotency key. Raises as `get`,
        and Repeated.
        """
        headers = {
            "if-match": etag,
            "idempotency-key": once,
            "content-type": None if values is None else _JSON,
        }
        body = b"" if values is None else orjson.dumps(values)
        answer = await self.call(
            method,
            path,
            query=query,
            body=body,
            headers={name: text for name, text in headers.items() if text},
        )
        if once and answer.status == _HELD:
            raise Repeated(Fault(answer.status, answer.data["message"]))
        return _checked(answer)

    async def upload(self, path: str, content_type: str, body: AsyncIterator[bytes]) -> Answer:
        """Stream a form. Raises as `get`."""
        headers = {"content-type": content_type, "transfer-encoding": "chunked"}
        return _checked(await self.call("POST", path, body=body, headers=headers))

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: bytes | AsyncIterator[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        """Answer of the API, whatever it is. Ids in `path` are escaped. Raises KeyEnded."""
        given = {**self.headers, **(headers or {}), "host": _HOST}
        if isinstance(body, bytes) and body:
            given["content-length"] = str(len(body))
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": _query(query or {}).encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("utf-8")) for name, value in given.items()],
            "client": (self.client, 0),
            "server": (_HOST, port or 80),
            "state": {SUBREQUEST: True},
        }
        answer = await self._answer(scope, body)
        if answer.status == _NOT_KNOWN and given.get("authorization") == self.headers.get("authorization"):
            raise KeyEnded(str(answer.data["message"]))
        return answer

    async def _answer(self, scope: Message, body: bytes | AsyncIterator[bytes]) -> Answer:
        complete = asyncio.Event()
        messages = _messages(body)
        start: Message = {}
        parts: list[bytes] = []

        async def receive() -> Message:
            with suppress(StopAsyncIteration):
                return await anext(messages)
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    complete.set()

        task = self.calls.begin(self.app(scope, receive, send))
        waiting = asyncio.ensure_future(complete.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not complete.is_set():
            raise Refused(Fault(502, "The service broke off its answer; try again"))
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        content = b"".join(parts)
        data = (
            orjson.loads(content) if content and headers.get("content-type", "").startswith(_JSON) else None
        )
        return Answer(start["status"], headers, content, data)


async def _messages(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[Message]:
    if isinstance(body, bytes):
        yield {"type": "http.request", "body": body, "more_body": False}
        return
    async for part in body:
        yield {"type": "http.request", "body": part, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}


def _query(values: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in values.items() if value not in (None, "")})


def _checked(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    said: Mapping[str, Any] = answer.data if isinstance(answer.data, dict) else {}
    fields = [{"field": each["field"], "message": each["message"]} for each in said.get("details", ())]
    message = said.get("message", "It was refused")
    if (busy := _BUSY.match(message)) is not None:
        raise Refused(Fault(answer.status, texts().jobs.busy, job=busy[1]))
    raise Refused(Fault(answer.status, message, fields))
