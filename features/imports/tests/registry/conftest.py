"""Taking an old registry over in the app of the run, as the command does; and old registries that run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.database.client import Author
from features.imports.registry.accept import accept_registry
from features.imports.schemas import RegistryOptions
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.services import TestServices

if TYPE_CHECKING:
    from fastapi import FastAPI

    from core.platform import Platform

_GATE = 7_421_002
Job = dict[str, Any]
Takeover = Callable[..., Awaitable[Job]]


@pytest.fixture
def takeover(app: "FastAPI", client: httpx.AsyncClient) -> Takeover:
    """`job = await takeover(folder, files=..., on_conflict=...)`: the job after its end."""

    async def run(place: Path | str, **options: object) -> Job:
        platform: Platform = app.state.platform
        chosen = RegistryOptions.model_validate({"source": "questdb", **options})
        job = await accept_registry(
            platform.db, platform.jobs, platform.settings, Author("operator"), str(place), chosen
        )
        await platform.jobs.run(job.id)
        found: Job = (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]
        return found

    return run


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """The folder with the one file's bytes."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "guide.md").write_text("# Guide\n\nwordofguide\n")
    return folder


@pytest.fixture
def old_url(services: TestServices) -> Iterator[str]:
    """An empty database where the old registry may be."""
    with services.fresh_database("registry", migrated=False) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def old(old_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(old_url)
    yield connection
    await connection.close()


@dataclass
class Relay:
    """Listens on a port, as QuestDB does, and passes on to PostgreSQL; keeps what clients say."""

    url: str
    said: bytearray = field(default_factory=bytearray)
    connections: int = 0


@pytest_asyncio.fixture(loop_scope="session")
async def questdb(old_url: str, old: Connection) -> AsyncIterator[Relay]:
    relay = Relay("")
    parts = urlsplit(old_url)
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> None:
        while data := await reader.read(65536):
            if keep:
                relay.said += data
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay.connections += 1
        if parts.hostname:
            there = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        else:
            folder = parse_qs(parts.query)["host"][0]
            there = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        for source, target, keep in ((reader, there[1], True), (there[0], writer, False)):
            task = asyncio.create_task(pump(source, target, keep=keep))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.username or "handover"
    credentials = user if parts.password is None else f"{user}:{parts.password}"
    relay.url = f"postgresql://{credentials}@127.0.0.1:{port}{parts.path}"
    yield relay
    server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def gate(sql: "asyncpg.Connection") -> AsyncIterator["Gate"]:
    yield Gate(sql)
    await sql.execute("SELECT pg_advisory_unlock_all()")
    for table in ("ideas", "files", "audit_entries"):
        await sql.execute(f"DROP TRIGGER IF EXISTS gate ON {table}")
    await sql.execute("DROP FUNCTION IF EXISTS gate")


class Gate:
    """`async with gate.before("ideas", "x")`: nobody inserts the row x until the block ends."""

    def __init__(self, sql: "asyncpg.Connection") -> None:
        self._sql = sql

    @asynccontextmanager
    async def before(self, table: str, row_id: str, column: str = "id") -> AsyncIterator[None]:
        await self._sql.execute(
            "CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_advisory_xact_lock({_GATE}); RETURN NEW; END $$; "
            f"CREATE TRIGGER gate BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.{column} = '{row_id}') "
            "EXECUTE FUNCTION gate()"
        )
        await self._sql.execute(f"SELECT pg_advisory_lock({_GATE})")
        try:
            yield
        finally:
            await self._sql.execute(f"SELECT pg_advisory_unlock({_GATE})")
            await self._sql.execute(f"DROP TRIGGER IF EXISTS gate ON {table}")

    async def waited_at(self) -> bool:
        return bool(
            await self._sql.fetchval(
                f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'advisory' AND objid = $1",
                _GATE,
            )
        )
