"""A person who follows the guide, from an empty folder to the switch and back, sees what it shows."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.fixtures.servers import LiveServer, free_port, start_server, wait_for_server
from tests.fixtures.services import TestServices
from tests.takeover import sources
from tests.takeover.transcript import GUIDE, Command, Run, parsed, rewritten

pytestmark = pytest.mark.slow

_END: Final = "that was all"


def environment(**own: str) -> dict[str, str]:
    """Without coverage, which doubles the time of a command: each has tests of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {name: value for name, value in kept.items() if name != "PROMETHEUS_MULTIPROC_DIR"} | own


class Terminal:
    """A shell in which each command prints what a person would see of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, command: str) -> str:
        shell, out = self._process.stdin, self._process.stdout
        assert shell
        assert out
        shell.write(f"{command}\n(status=$?; printf '{_END}\\n'; exit $status)\n".encode())
        await shell.drain()
        return (await out.readuntil(f"{_END}\n".encode())).decode().removesuffix(f"{_END}\n")


@asynccontextmanager
async def terminal(folder: Path) -> AsyncIterator[Terminal]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "--norc",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=environment(PATH=path, LOG_LEVEL="error"),  # what commands log in a terminal
    )
    try:
        yield Terminal(process)
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()


class World:
    """What happens outside the terminal, by the names that the guide gives it."""

    def __init__(self, folder: Path, old_database: str) -> None:
        self.folder = folder
        self.old_database = old_database
        self.port = free_port()
        self.server: LiveServer | None = None

    async def happens(self, what: str) -> None:
        match what:
            case "the server starts":
                own = environment(PORT=str(self.port), DATA_DIR=".data")
                self.server = await start_server(self.folder, own, wait=False)
                await wait_for_server(self.server)
            case "the server stops":
                assert self.server
                assert await self.server.stop(signal.SIGINT) == 0
            case "the old idea bank goes on":
                sources.idea_bank_goes_on(self.folder)
            case "the old registry goes on":
                await sources.registry_goes_on(self.old_database)
            case "the old idea bank runs again":
                sources.idea_bank_after_all(self.folder)
            case _:
                raise AssertionError(f"nobody knows how {what!r} comes about")


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_command_prints_what_the_guide_shows(services: TestServices, tmp_path: Path) -> None:
    guide = GUIDE.read_text()
    folder = tmp_path / "handover"
    folder.mkdir()
    sources.idea_bank(folder)
    sources.registry(folder)
    outputs: dict[Command, str] = {}
    async with AsyncExitStack() as stack:
        old = stack.enter_context(services.fresh_database("old", migrated=False))
        await sources.registry_in_postgres(old)
        world, parts = World(folder, old), urlsplit(old)
        places = {
            "/srv/handover": str(folder),
            "localhost:8000": f"localhost:{world.port}",
            "postgresql://docs@localhost:5432/documentation": old,
            "localhost:5432/documentation": f"{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}",
        }
        run = Run(folder, places, {known: known for known in (*sources.ITEMS, *sources.RECORDS)})
        shell = await stack.enter_async_context(terminal(folder))
        stack.push_async_callback(lambda: world.happens("the server stops"))
        for step in parsed(guide):
            if isinstance(step, Command):
                outputs[step] = run.as_shown(await shell.run(run.here(step.text)), step.shown)
            else:
                await world.happens(step.what)
    assert len(outputs) == guide.count("\n$ ")
    printed = rewritten(guide, outputs)
    (tmp_path / GUIDE.name).write_text(printed)
    assert printed == guide, f"the guide as it should be: {tmp_path / GUIDE.name}"
