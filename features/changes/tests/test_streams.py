"""Streams of changes: order, going on after a kill, stops and slow clients."""

import asyncio
import signal
import time

import asyncpg
import pytest

from core.database.client import Database
from core.platform import Platform
from core.settings import Settings
from features.changes import service
from features.changes.schemas import Audience, ChangeFilter, Event
from features.changes.streams import reader
from features.changes.tests.listening import (
    ROUNDS,
    WRITERS,
    create_item,
    following,
    pages,
    versions_of,
    write_much,
)
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import PATIENCE_S, wait_for


async def test_each_committed_change_is_told_once_and_in_order_by_stream_and_pages(
    live_server: StartServer, connection: Connection
) -> None:

    server, second = await asyncio.gather(live_server(), live_server())
    url = server.environment["DATABASE_URL"]
    async with server.client() as client:
        rows = [(await create_item(client))["id"] for _ in range(5)]
        start = (await pages(client))[0]["position"]
        async with (
            following(server, f"?after={start}") as told,
            following(second, f"?after={start}&entity_id={rows[0]}") as of_one,
        ):
            committed = await write_much(lambda: asyncpg.connect(url), rows)
            assert len(committed) > WRITERS * ROUNDS / 2
            whole = await pages(client)
            await wait_for(lambda: len(told.changes) >= len(whole) - 1)
            assert told.changes == whole[1:]
            await versions_of(connection, whole)
            mine = [each for each in whole[1:] if each["entityId"] == rows[0]]
            await wait_for(lambda: len(of_one.changes) >= len(mine))
            assert of_one.changes == mine
        assert len(whole) == len(rows) + len(committed)


@pytest.mark.slow
async def test_a_client_goes_on_after_the_process_that_numbered_was_killed(
    live_server: StartServer, connection: Connection
) -> None:

    first, second = await asyncio.gather(live_server(), live_server())
    async with second.client() as client:
        rows = [(await create_item(client))["id"] for _ in range(3)]
        async with following(first, "?after=0") as told:
            writing = asyncio.create_task(
                write_much(lambda: asyncpg.connect(first.environment["DATABASE_URL"]), rows)
            )
            await wait_for(lambda: len(told.changes) > 10)
            await first.stop(signal.SIGKILL)
            await wait_for(lambda: told.ended)
        async with following(second, headers={"Last-Event-ID": told.changes[-1]["position"]}) as rest:
            await writing
            whole = await pages(client)
            await wait_for(lambda: len(told.changes) + len(rest.changes) >= len(whole))
            assert told.changes + rest.changes == whole
            await versions_of(connection, whole)


async def test_streams_end_in_order_at_a_stop(live_server: StartServer) -> None:
    server = await live_server()
    async with following(server) as told:
        began = time.monotonic()
        assert await server.stop() == 0
        await wait_for(lambda: told.ended)
        assert time.monotonic() - began < 8


async def test_a_slow_client_is_dropped_and_told_where_to_go_on(
    db: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(reader, "MOST_PENDING", 5)

    async def admitted() -> bool:
        return True

    platform = Platform(Settings(), db, None, None, dict)  # type: ignore[arg-type]
    streams = platform.part(service.ChangeStreams)
    assert platform.part(service.ChangeStreams) is streams
    slow = streams.follow(None, ChangeFilter(), Audience(), admitted)
    fast = streams.follow(None, ChangeFilter(), Audience(), admitted)
    heard: list[Event | None] = []

    async def listen() -> None:
        async for event in fast:
            heard.append(event)

    async def insert(number: int) -> None:
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            f"VALUES ('item', '{number}', 'created', 'ada', '{{}}')"
        )

    listening = asyncio.create_task(listen())
    beginning = asyncio.ensure_future(anext(slow))
    await wait_for(lambda: len(streams._streams) == 2 and streams._ready.is_set())
    for number in range(8):
        await insert(number)
        await wait_for(lambda: len(heard) == number + 1)  # noqa: B023 - waited for at once
    assert (await beginning) == heard[0]
    assert [event async for event in slow] == [None]
    assert None not in heard
    platform.draining.set()
    await asyncio.wait_for(listening, PATIENCE_S)
