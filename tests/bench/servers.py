"""The servers under load: the app as it is deployed, and the yardsticks. Each is a process of its own, with
the same PostgreSQL, and is ended by its pid.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx

from core.database.process import NODE
from core.settings import all_settings
from tests.bench import processes
from tests.bench.endpoints import READS, SPREAD, WRITES
from tests.fixtures.servers import START_TIMEOUT_S, STOP_TIMEOUT_S, free_port
from tests.fixtures.waiting import wait_for

ROOT: Final = Path(__file__).resolve().parents[2]
YARDSTICKS: Final = Path(__file__).parent / "yardsticks"
UNLIMITED: Final = str(10**9)
"""Requests per window: the rate limiter works, and nobody reaches the limit."""

Part = Literal["app", "engine"]


@dataclass(frozen=True)
class Server:
    """`endpoints` are the codes of those that it answers."""

    name: str
    endpoints: tuple[str, ...]
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    has_engine: bool

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self, part: Part) -> list[int]:
        """The engine is another program than the app that started it."""
        pids = processes.family(self.process.pid)
        engines = [pid for pid in pids if self.has_engine and processes.command_of(pid)[:1] == [str(NODE)]]
        return engines if part == "engine" else [pid for pid in pids if pid not in engines]

    def forget_log(self) -> None:
        """Minutes of load write gigabytes of access events."""
        os.truncate(self.log, 0)


class Starter:
    """Starts servers, and stops them all when the stack is left."""

    def __init__(self, stack: AsyncExitStack, folder: Path, data_dir: Path, database_url: str) -> None:
        self._stack = stack
        self._folder = folder
        self._data_dir = data_dir
        self._database_url = database_url

    async def handover(
        self, name: str, endpoints: tuple[str, ...] = (*READS, *WRITES), **changes: str
    ) -> Server:
        """`changes` are settings by their names in the environment."""
        environment = {"DATA_DIR": str(self._data_dir), "RATE_LIMIT_MAX": UNLIMITED, **changes}
        command = [sys.executable, "-P", "-m", "core.cli", "serve"]
        return await self._start(name, endpoints, command, environment, "/health/live", engine=True)

    async def python(self, name: str, module: str, endpoints: tuple[str, ...], **changes: str) -> Server:
        """One worker of uvicorn as it is meant to be run, without a log of requests."""
        command = [sys.executable, "-m", "uvicorn", f"tests.bench.yardsticks.{module}:app"]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        return await self._start(name, endpoints, command, changes, "/health")

    async def express(self, name: str) -> Server:
        command = [str(NODE), str(YARDSTICKS / "express" / "server.mjs")]
        production = {"NODE_ENV": "production"}
        return await self._start(name, (*READS, *WRITES), command, production, "/health")

    async def _start(
        self,
        name: str,
        endpoints: tuple[str, ...],
        command: list[str],
        changes: Mapping[str, str],
        health: str,
        *,
        engine: bool = False,
    ) -> Server:
        port = free_port()
        if "uvicorn" in command:
            command = [*command, "--port", str(port)]
        own = {name.upper() for name in all_settings().model_fields}
        environment = {key: value for key, value in os.environ.items() if key.upper() not in own}
        if not engine:
            environment["DATABASE_URL"] = self._database_url
        log = self._folder / f"server-{port}.log"
        # Appended to, so that emptying the file gives the space back.
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: ASYNC220 - it outlives this function
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # The app must not find a developer's .env; the yardsticks are modules of the project.
                cwd=self._folder if engine else ROOT,
                env={**environment, "PORT": str(port), **changes},
            )
        self._stack.callback(_end, process)
        server = Server(name, endpoints, process, port, log, engine)
        await _answering(server, health)
        return server


async def _answering(server: Server, path: str) -> None:
    async with httpx.AsyncClient(base_url=server.base_url, timeout=5) as client:

        async def answers() -> bool:
            if server.process.poll() is not None:
                raise RuntimeError(f"{server.name} did not start:\n{server.log.read_text(errors='replace')}")
            try:
                return (await client.get(path)).is_success
            except httpx.TransportError:
                return False

        await wait_for(answers, START_TIMEOUT_S, message=f"{server.name} does not answer")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@asynccontextmanager
async def starter(folder: Path, data_dir: Path, database_url: str) -> AsyncIterator[Starter]:
    async with AsyncExitStack() as stack:
        yield Starter(stack, folder, data_dir, database_url)


async def yardsticks(start: Starter, folder: Path, ready: Mapping[str, str]) -> list[Server]:
    """All four; `ready` holds the bodies that (d) hands out, by path and query."""
    bodies = folder / "ready.json"
    bodies.write_text(json.dumps(ready), encoding="utf-8")
    started = await asyncio.gather(
        start.python("a", "orm", (*READS, *WRITES)),
        start.python("b", "by_hand", (*READS, *SPREAD, *WRITES)),
        start.express("c"),
        start.python("d", "ready", READS, READY_BODIES=str(bodies)),
    )
    return list(started)


def service_pids(service: str, data_dir: Path) -> list[int]:
    """The processes of the embedded PostgreSQL or Redis on this data folder, which this process started."""
    for pid in processes.family(os.getpid()):
        command = processes.command_of(pid)
        if "core.server.embedded.supervisor" in command and {service, str(data_dir)} <= set(command):
            return processes.family(pid)[1:]
    return []
