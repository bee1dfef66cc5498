"""Services that a test may break, and what it has to count."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.database import schema
from core.server.embedded.paths import ServicePaths
from core.server.embedded.postgres import Postgres
from core.server.embedded.redis import Redis
from tests.faults.load import Load
from tests.fixtures.services import forget_stamps

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
    forget_stamps(own.url)


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
