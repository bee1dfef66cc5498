"""Streams of changes: order, going on after a kill, stops and slow clients."""

import asyncio
import signal
import time

import asyncpg
import pytest

from core.database.client import Database
from core.http.answers.event_streams import Reached
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


async def admitted() -> bool:
    return True


def platform_of(db: Database) -> Platform:
    return Platform(Settings(), db, None, None, dict)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("query", ["", "?entity=item", "?entity=system", "?action=deleted&entity_id=none"])
async def test_a_client_that_has_heard_nothing_yet_misses_nothing_either(
    live_server: StartServer, query: str
) -> None:
    server = await live_server()
    async with server.client() as client:
        await create_item(client)  # before: not told
        async with following(server, query) as told:
            await wait_for(lambda: told.ids)
            assert told.changes == []
        made = await create_item(client)
        await client.delete(f"/api/items/{made['id']}")
        created, deleted = (await pages(client))[1:]
        kept = {"": [created, deleted], "?entity=item": [created, deleted]}.get(query, [])
        async with following(server, query, {"Last-Event-ID": told.ids[-1]}) as rest:
            await create_item(client)
            await wait_for(lambda: len(rest.changes) == len(kept) + bool(kept))
            assert rest.changes[:2] == kept


async def test_what_is_reached_is_told_from_time_to_time_and_never_past_what_comes(
    db: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a quiet client would come back with a position before what is kept."""
    monkeypatch.setattr(reader, "REACHED_S", 0.01)
    monkeypatch.setattr(service, "POLL_S", 0.01)
    monkeypatch.setattr(service, "settled", lambda: time.time_ns() // 1000 - 3_000_000)

    platform = platform_of(db)
    streams = platform.part(service.ChangeStreams)
    heard: list[Event | Reached | None] = []

    async def listen() -> None:
        async for event in streams.follow(None, ChangeFilter(entity="item"), Audience(), admitted):
            heard.append(event)

    listening = asyncio.create_task(listen())
    await wait_for(lambda: len(heard) > 3)
    for entity in ("system", "item"):
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            f"VALUES ('{entity}', '1', 'created', 'ada', '{{}}')"
        )
    await wait_for(lambda: isinstance(heard[-1], Event))
    positions = [each.position for each in heard if each is not None]
    assert positions == sorted(set(positions))
    assert [each.change.entity for each in heard if isinstance(each, Event)] == ["item"]
    platform.draining.set()
    await asyncio.wait_for(listening, PATIENCE_S)


@pytest.mark.parametrize("audience", [Audience(), Audience("reader")])
async def test_what_comes_while_a_client_is_told_where_it_begins_is_not_lost(
    db: Database, connection: Connection, audience: Audience
) -> None:
    """As where thousands begin at once: they ask a few at a time."""

    platform = platform_of(db)
    streams = platform.part(service.ChangeStreams)
    heard: list[Event | Reached | None] = []

    async def listen() -> None:
        async for event in streams.follow(None, ChangeFilter(), audience, admitted):
            heard.append(event)

    for _ in range(reader._CATCHING_UP):
        await streams._catching_up.acquire()
    listening = asyncio.create_task(listen())
    await wait_for(streams._ready.is_set)
    for number in range(3):
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            f"VALUES ('item', '{number}', 'created', 'ada', '{{}}')"
        )
    await wait_for(lambda: any(len(stream.pending) == 3 for stream in streams._streams) or heard)
    for _ in range(reader._CATCHING_UP):
        streams._catching_up.release()
    await wait_for(lambda: len([each for each in heard if isinstance(each, Event)]) == 3)
    positions = [each.position for each in heard if each is not None]
    assert positions == sorted(set(positions))
    platform.draining.set()
    await asyncio.wait_for(listening, PATIENCE_S)


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

    platform = platform_of(db)
    streams = platform.part(service.ChangeStreams)
    assert platform.part(service.ChangeStreams) is streams
    slow = streams.follow(None, ChangeFilter(), Audience(), admitted)
    fast = streams.follow(None, ChangeFilter(), Audience(), admitted)
    heard: list[Event | None] = []

    async def listen() -> None:
        async for event in fast:
            if not isinstance(event, Reached):
                heard.append(event)

    async def insert(number: int) -> None:
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            f"VALUES ('item', '{number}', 'created', 'ada', '{{}}')"
        )

    listening = asyncio.create_task(listen())
    assert isinstance(await anext(slow), Reached)
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
