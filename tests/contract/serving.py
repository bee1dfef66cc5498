"""The app in a thread with an event loop of its own, for tools that call it without one."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI

from core.app import create_app
from core.settings import Settings
from tests.fixtures.application import client_of, lifespan_of

Send = Callable[[httpx.Request], httpx.Response]
TIMEOUT_S = 60


def strict_app(settings: Settings) -> FastAPI:
    """One that caches although the worker's other app, whose loop waits meanwhile, is the one that looks at
    the log of changes.
    """
    return create_app(settings.model_copy(update={"cache_strict": True}))


@contextmanager
def serving(app: FastAPI) -> Iterator[Send]:
    """`send(request)` waits for the answer in the caller's thread."""
    started: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, httpx.AsyncClient]] = queue.Queue()
    failures: list[BaseException] = []

    async def live() -> None:
        stop = asyncio.Event()
        async with lifespan_of(app), client_of(app) as client:
            started.put((asyncio.get_running_loop(), stop, client))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            failures.append(error)

    thread = threading.Thread(target=run, name="served app")
    thread.start()
    while started.empty() and thread.is_alive():
        thread.join(0.02)
    if failures:
        raise failures[0]
    loop, stop, client = started.get()

    def send(request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(client.send(request), loop).result(TIMEOUT_S)

    try:
        yield send
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_S)
    if failures:
        raise failures[0]
