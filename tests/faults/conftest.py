"""Services that a test may break, and what it has to count."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.database import schema
from core.server.embedded.postgres import Postgres
from core.server.embedded.redis import Redis
from core.server.embedded.server import ServicePaths
from tests.faults.load import Load
from tests.fixtures.servers import LiveServer, free_port, process_environment, wait_for_server
from tests.fixtures.services import TestServices, forget_versions

Hosts = Callable[..., Awaitable[list[LiveServer]]]
Count = Callable[[str, Load, list[str], list[float]], None]


@dataclass
class Breakable:
    """A service of the test's own: `process` is the one that runs now."""

    service: Postgres | Redis
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return self.service.url

    def stop(self) -> None:
        self.service.stop(self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.service.prepare()
        self.process = self.service.spawn()
        self.service.wait_ready(self.process)


def _breakable(name: str, folder: Path) -> Breakable:
    paths = ServicePaths("postgres" if name == "postgres" else "redis", folder)
    paths.base.mkdir(parents=True, mode=0o700)
    service = Postgres(paths) if name == "postgres" else Redis(paths)
    service.prepare()
    process = service.spawn()
    service.wait_ready(process)
    return Breakable(service, process)


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Breakable]:
    own = _breakable("postgres", tmp_path / "own")
    await schema.deploy(own.url)
    yield own
    own.stop()
    forget_versions(own.url)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Breakable]:
    own = _breakable("redis", tmp_path / "own")
    yield own
    own.stop()


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    """`count("PostgreSQL stopped", load, lost, recoveries)`: nothing wrong or lost, a line of figures."""

    def keep(fault: str, load: Load, lost: list[str], recoveries: list[float]) -> None:
        figures = (
            f"{load.answered} answered, {load.refused} refused, {len(load.titles)} writes acknowledged, "
            f"{len(lost)} lost, back after {max(recoveries, default=0):.2f} s at most"
        )
        request.node.user_properties.append(("figures", f"{fault}: {figures}"))
        assert load.wrong == []
        assert lost == []

    return keep


@pytest.fixture
async def hosts(
    services: TestServices, tmp_path: Path, empty_tables: Callable[[], Awaitable[None]]
) -> AsyncIterator[Hosts]:
    """`[one, other] = await hosts(RATE_LIMIT_MAX="60")`: each a process with `/dev/shm` and data folder of
    its own, so that the two share nothing but the database and Redis. That needs the right to mount.
    """
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:  # noqa: ASYNC221 - at once
        pytest.skip("a host of its own needs the right to mount")
    await empty_tables()
    started: list[LiveServer] = []

    async def start(**changes: str) -> list[LiveServer]:
        for number in range(2):
            port = free_port()
            data = tmp_path / f"host-{number}"
            environment = process_environment(services, data, {"PORT": str(port), **changes})
            log = tmp_path / f"host-{number}.log"
            own_memory = 'mount -t tmpfs tmpfs /dev/shm && exec "$0" -P -m core.cli serve'
            process = subprocess.Popen(  # noqa: ASYNC220 - it outlives this function
                ["unshare", "--mount", "sh", "-c", own_memory, sys.executable],
                stdin=subprocess.DEVNULL,
                stdout=log.open("wb"),
                stderr=subprocess.STDOUT,
                cwd=tmp_path,
                env=environment,
            )
            started.append(LiveServer(process, f"http://127.0.0.1:{port}", data, log, environment))
        for server in started:
            await wait_for_server(server)
        return started

    yield start
    for server in started:
        await server.stop()
        shutil.rmtree(server.data_dir, ignore_errors=True)
