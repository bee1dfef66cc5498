"""A hand on the database from outside the app: to look, to tamper, to hold an import in the middle."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.fixtures.database import WAITING_LOCKS
from tests.fixtures.services import TestServices

if TYPE_CHECKING:
    import asyncpg
    from fastapi import FastAPI

Held = Callable[[str], AbstractAsyncContextManager[Callable[[], Awaitable[bool]]]]

_GATE = 7_421_001


@pytest_asyncio.fixture(loop_scope="session")
async def sql(services: TestServices) -> AsyncIterator["asyncpg.Connection"]:
    import asyncpg

    connection = await asyncpg.connect(services.database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def on_insert(sql: "asyncpg.Connection") -> AsyncIterator[Callable[[str, str], Awaitable[None]]]:
    """`await on_insert("x", "NEW.title := 'other'")`: what PostgreSQL does when the item x is inserted."""

    async def install(item_id: str, body: str) -> None:
        await sql.execute(
            f"CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {body}; RETURN NEW; END $$;"
            f"CREATE TRIGGER meddle BEFORE INSERT ON items FOR EACH ROW WHEN (NEW.id = '{item_id}') "
            f"EXECUTE FUNCTION meddle()"
        )

    yield install
    await sql.execute("DROP TRIGGER IF EXISTS meddle ON items; DROP FUNCTION IF EXISTS meddle")


@pytest_asyncio.fixture(loop_scope="session")
async def held_at(
    sql: "asyncpg.Connection", on_insert: Callable[[str, str], Awaitable[None]]
) -> AsyncIterator[Held]:
    """`async with held_at("x") as waiting`: an import stops before the item x until the block ends.

    `await waiting()` tells whether one has come that far.
    """

    @asynccontextmanager
    async def hold(item_id: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        await on_insert(item_id, f"PERFORM pg_advisory_xact_lock({_GATE})")
        await sql.execute(f"SELECT pg_advisory_lock({_GATE})")

        async def waiting() -> bool:
            return bool(
                await sql.fetchval(
                    f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'advisory' AND objid = $1",
                    _GATE,
                )
            )

        try:
            yield waiting
        finally:
            await sql.execute(f"SELECT pg_advisory_unlock({_GATE})")

    yield hold
    await sql.execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture
def import_folders(app: "FastAPI") -> Callable[[], list[str]]:
    """What imports of the test have left on the disk of the app: a comparison before it may have left what it
    found.
    """
    root: Path = app.state.settings.data_dir / "imports"

    def names() -> set[str]:
        return {path.name for path in root.iterdir()} if root.exists() else set()

    before = names()
    return lambda: sorted(names() - before)
