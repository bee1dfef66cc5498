"""Where the CPU time of one request goes, without a server and without a socket."""

import asyncio
import cProfile
import io
import pstats
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from core.app import create_app
from core.observability import logging
from core.settings import all_settings
from tests.bench.load import Request
from tests.bench.run import place
from tests.bench.servers import UNLIMITED

ROWS: Final = 20_000
CALLS: Final = 2_000
WARM_UP: Final = 500
SHOWN: Final = 30


async def profile(folder: Path, console: Console, code: str) -> None:
    """The endpoint of this code, its first request again and again: after the first answer a cached one."""
    async with place(folder, ROWS) as here:
        if code not in here.measured:
            raise SystemExit(f"There is no {code}; there are {', '.join(here.measured)}.")
        request = here.measured[code][0]
        settings = all_settings().model_validate(
            {"data_dir": here.data_dir, "database_url": here.database_url, "rate_limit_max": int(UNLIMITED)}
        )
        app = create_app(settings)
        with _events_in(folder / "events.log"):
            logging.configure(settings)
            async with app.router.lifespan_context(app):
                await _call(app, request, WARM_UP)
                started = time.process_time()
                await _call(app, request, CALLS)
                each = 1_000_000 * (time.process_time() - started) / CALLS
                profiler = cProfile.Profile()
                profiler.enable()
                await _call(app, request, CALLS)
                profiler.disable()
    output = io.StringIO()
    pstats.Stats(profiler, stream=output).sort_stats("tottime").print_stats(SHOWN)
    console.out(output.getvalue(), highlight=False)
    console.print(f"{code} {request.method} {request.path}: {each:.0f} us of CPU a call without the profiler")


@contextmanager
def _events_in(path: Path) -> Iterator[None]:
    """Events are written, as they are by a server, and nobody reads them."""
    with path.open("w") as log, redirect_stderr(log):
        yield


async def _call(app: Any, request: Request, times: int) -> None:
    path, _, query = request.path.partition("?")
    body = request.body.encode()
    headers = [(b"host", b"127.0.0.1:8000")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    status = 0

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    for _ in range(times):
        sent = asyncio.Event()

        async def receive(sent: asyncio.Event = sent) -> dict[str, Any]:
            if sent.is_set():
                await asyncio.Event().wait()
            sent.set()
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": request.method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "state": {},
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        await app(scope, receive, send)
    if not 200 <= status < 300:
        raise SystemExit(f"{request.method} {request.path} answered {status}")
