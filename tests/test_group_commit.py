"""Writes that meet: what they share, and what they do not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from fastapi import FastAPI
from prisma.errors import UniqueViolationError

from core import group_commit
from core.cache import Cache, Entry, Outcome, Policy
from core.database.client import Database
from core.database.companion import accompanied_by
from core.database.errors import DatabaseUnavailable, PoolExhausted, engine_error
from core.database.meter import measure
from core.group_commit import MOST_WRITES, GroupCommit, Outcomes, Write
from tests.database.engines import connected, figures
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

REFUSAL = {"code": "P2010", "state": "23505", "message": "duplicate key", "meta": {}}


@dataclass
class Statement:
    """Stands for one of a slice: says what each row is, when `gate` is open; `held` are somebody else's."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    groups: list[tuple[list[str], bool]] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    most_at_once: int = 0
    held: set[str] = field(default_factory=set)
    fails: Callable[[Sequence[str], bool], Exception | None] = field(default=lambda rows, wait: None)
    answers: dict[str, Exception] = field(default_factory=dict)

    async def __call__(self, db: Database, writes: Sequence[Write], wait: bool) -> Outcomes[str]:
        rows = [each.row for each in writes]
        self.groups.append((rows, wait))
        self.under_way += rows
        assert len(set(self.under_way)) == len(self.under_way), "two writes of one row at once"
        self.most_at_once = max(self.most_at_once, len(self.groups) - self._ended)
        try:
            await self.gate.wait()
            await db.query_raw("SELECT 1")
        finally:
            self._ended += 1
            for row in rows:
                self.under_way.remove(row)
        error = self.fails(rows, wait)
        if error is not None:
            raise error
        return {
            each.row: self.answers.get(each.row, f"{each.row}: {each.json.decode()}")
            for each in writes
            if wait or each.row not in self.held
        }

    _ended: int = 0

    def let_pass(self) -> None:
        """Who stands before the gate; it is closed for those who come next."""
        self.gate.set()
        self.gate.clear()


@dataclass
class Place:
    db: Database
    cache: Cache
    statement: Statement
    writes: GroupCommit[str]

    def send(self, row: str, json: str = "{}") -> "asyncio.Task[str]":
        return asyncio.create_task(self.writes.carry_out(self.db, self.cache, Write(row, json.encode())))

    async def occupied(self) -> "asyncio.Task[str]":
        """One write is under way, so that what comes now waits for the next group."""
        first = self.send("first")
        await wait_for(lambda: len(self.statement.groups) == 1)
        return first


@pytest_asyncio.fixture(loop_scope="session")
async def place(app: FastAPI) -> AsyncIterator[Place]:
    platform = app.state.platform
    statement = Statement()
    yield Place(
        platform.db, platform.cache, statement, GroupCommit(statement, lambda row: (f"row:{row}", "rows"))
    )


async def test_a_write_that_comes_alone_is_carried_out_at_once(place: Place) -> None:
    place.statement.gate.set()
    assert await place.send("1", '{"a":1}') == '1: {"a":1}'
    assert place.statement.groups == [(["1"], False)]


async def test_writes_that_meet_share_a_statement_and_each_gets_its_own(place: Place) -> None:
    first = await place.occupied()
    sent = [place.send(str(number), f"[{number}]") for number in range(100)]
    await asyncio.sleep(0)
    place.statement.gate.set()
    assert await asyncio.gather(*sent) == [f"{number}: [{number}]" for number in range(100)]
    await first
    sizes = [len(rows) for rows, _ in place.statement.groups]
    assert sizes == [1, MOST_WRITES, 100 - MOST_WRITES]
    assert place.statement.most_at_once == 1
    assert not any(wait for _, wait in place.statement.groups)


async def test_large_writes_do_not_pile_up_in_one_group(place: Place) -> None:
    await place.occupied()
    large = "x" * (group_commit.MOST_BYTES // 2)
    sent = [place.send(str(number), large) for number in range(5)]
    await asyncio.sleep(0)
    place.statement.gate.set()
    await asyncio.gather(*sent)
    assert [len(rows) for rows, _ in place.statement.groups[1:]] == [2, 2, 1]


async def test_what_is_said_of_one_row_is_raised_for_its_write_alone(place: Place) -> None:
    await place.occupied()
    place.statement.answers["2"] = LookupError("there is no 2")
    sent = [place.send(str(number)) for number in range(4)]
    place.statement.gate.set()
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [*outcomes[:2], outcomes[3]] == ["0: {}", "1: {}", "3: {}"]
    assert isinstance(outcomes[2], LookupError)
    assert len(place.statement.groups) == 2


async def test_a_row_that_somebody_holds_is_waited_for_by_its_writer_alone(place: Place) -> None:
    await place.occupied()
    place.statement.held.add("2")
    sent = [place.send(str(number)) for number in range(4)]
    place.statement.gate.set()
    assert await asyncio.gather(*sent) == ["0: {}", "1: {}", "2: {}", "3: {}"]
    assert place.statement.groups[1:] == [(["0", "1", "2", "3"], False), (["2"], True)]


async def test_of_a_group_that_is_refused_each_is_carried_out_alone(place: Place) -> None:
    await place.occupied()
    place.statement.fails = lambda rows, wait: engine_error(REFUSAL) if "2" in rows else None
    sent = [place.send(str(number)) for number in range(4)]
    place.statement.gate.set()
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [*outcomes[:2], outcomes[3]] == ["0: {}", "1: {}", "3: {}"]
    assert isinstance(outcomes[2], UniqueViolationError)
    alone = sorted(place.statement.groups[2:])
    assert alone == [([str(number)], True) for number in range(4)]


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("The database cannot be reached; try again in a moment."),
        TypeError("a fault of ours"),
        engine_error({"code": "", "state": "", "message": "something else", "meta": {}}),
    ],
)
async def test_what_may_have_happened_is_not_carried_out_again(place: Place, error: Exception) -> None:
    await place.occupied()
    place.statement.fails = lambda rows, wait: error if "2" in rows else None
    sent = [place.send(str(number)) for number in range(4)]
    place.statement.gate.set()
    assert await asyncio.gather(*sent, return_exceptions=True) == [error] * 4
    assert len(place.statement.groups) == 2


async def test_two_writes_of_one_row_follow_each_other_in_order(place: Place) -> None:
    await place.occupied()
    sent = [place.send("same", str(number)) for number in range(5)] + [place.send("other")]
    await asyncio.sleep(0)
    place.statement.gate.set()
    assert await asyncio.gather(*sent) == [*(f"same: {number}" for number in range(5)), "other: {}"]
    assert place.statement.groups[1:] == [(["same", "other"], False), *([(["same"], False)] * 4)]


async def test_who_gives_up_while_waiting_is_not_written(place: Place) -> None:
    first = await place.occupied()
    gone, stays = place.send("gone"), place.send("stays")
    await asyncio.sleep(0)
    gone.cancel()
    place.statement.gate.set()
    assert await stays == "stays: {}"
    await first
    assert gone.cancelled()
    assert place.statement.groups[1:] == [(["stays"], False)]


async def test_who_gives_up_later_takes_nothing_from_the_others(place: Place) -> None:
    policy = Policy("rows", tags=("row:{key}",))

    async def load() -> Entry:
        return Entry(b"old", '"old"')

    await place.occupied()
    gone, stays = place.send("gone"), place.send("stays")
    await asyncio.sleep(0)
    place.statement.let_pass()
    await wait_for(lambda: place.statement.under_way == ["gone", "stays"])
    await place.cache.get_or_load(policy, "gone", load)
    gone.cancel()
    place.statement.gate.set()
    assert await stays == "stays: {}"
    assert gone.cancelled()
    # What was written for him is gone from the cache nevertheless.
    _, outcome = await place.cache.get_or_load(policy, "gone", load)
    assert outcome is not Outcome.HIT


async def test_when_a_write_returns_the_cache_has_forgotten_what_it_changed(place: Place) -> None:
    policy = Policy("rows", tags=("row:{key}", "rows"))
    place.statement.gate.set()

    async def load() -> Entry:
        return Entry(b"old", '"old"')

    for row in ("1", "2"):
        await place.cache.get_or_load(policy, row, load)
        assert (await place.cache.get_or_load(policy, row, load))[1] is Outcome.HIT
    await place.send("1")
    for row in ("1", "2"):
        assert (await place.cache.get_or_load(policy, row, load))[1] is not Outcome.HIT


async def test_a_write_that_is_committed_with_something_else_is_never_grouped(place: Place) -> None:
    place.statement.gate.set()
    marked: list[Database] = []

    async def mark(tx: Database) -> None:
        assert tx.is_transaction()
        marked.append(tx)

    async def send(row: str) -> str:
        with accompanied_by(mark):
            return await place.writes.carry_out(place.db, place.cache, Write(row, b"{}"))

    assert list(await asyncio.gather(send("1"), send("2"))) == ["1: {}", "2: {}"]
    assert sorted(place.statement.groups) == [(["1"], True), (["2"], True)]
    assert len(marked) == 2


async def test_each_write_counts_the_query_that_it_shared(place: Place) -> None:
    place.statement.gate.set()
    with measure() as meter:
        await place.writes.carry_out(place.db, place.cache, Write("1", b"{}"))
    assert meter.queries == 1
    assert meter.seconds > 0


async def test_how_many_met_is_shown(place: Place) -> None:
    before = figures()
    await place.occupied()
    sent = [place.send(str(number)) for number in range(3)]
    place.statement.gate.set()
    await asyncio.gather(*sent)
    after = figures()
    name = "handover_group_commit_writes"
    # Other processes of the run count here too.
    written = after[f"{name}_sum"] - before.get(f"{name}_sum", 0)
    assert written >= 1 + 3
    assert after[f"{name}_count"] - before.get(f"{name}_count", 0) <= written - 2


async def test_who_would_wait_too_long_or_behind_too_many_is_refused(
    services: TestServices, place: Place
) -> None:
    async with connected(services.database_url, max_waiting=3, pool_timeout_s=0.3) as db:
        place.db = db
        first = await place.occupied()
        waiting = [place.send(str(number)) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(PoolExhausted):
            await place.send("one more")
        for each in waiting:
            with pytest.raises(PoolExhausted):
                await each
        # Who is under way has had his turn and is not given up.
        place.statement.gate.set()
        assert await first == "first: {}"
        assert await place.send("again") == "again: {}"
        assert [rows for rows, _ in place.statement.groups[1:]] == [["again"]]
