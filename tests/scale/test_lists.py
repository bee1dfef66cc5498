"""At 100,000 items, ideas and files, 1,000 systems and 1,000,000 audit entries every filter and order that a
list offers is found through an index, a page deep in the list costs what the first one does, and so does a
page of a table of another size.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg
import httpx
import pytest

from core.http.answers.pagination import encode_place
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices
from tests.scale.data import Sizes, fill
from tests.scale.lists import LISTS, Hot
from tests.scale.plans import Cost, cost_of
from tests.scale.wire import Statement, Wire, tapped

pytestmark = pytest.mark.slow

PAGING: Final = {"limit", "offset", "cursor", "order_by", "order_direction"}
PAGE: Final = {"limit": "20"}
READ_AT_MOST: Final = 15_000
"""Rows and index entries that one page may touch: those of a rare value, or as many as an order is read until
twenty of a rare value have come. Never the table.
"""
COUNTED: Final = ("status", "category", "priority")
SMALL: Final = {"systems"}
"""Tables of a few pages: for what asks of every row, such as its number, no index is quicker."""
Query = Mapping[str, str]


@dataclass
class Registry:
    """A filled database behind an app that forgets what it read. Costs are asked for once per statement."""

    client: httpx.AsyncClient
    wire: Wire
    connection: Connection
    known: dict[Statement, Cost] = field(default_factory=dict)

    async def ask(self, hot: Hot, query: Query) -> tuple[dict[str, Any], list[tuple[Statement, Cost]]]:
        """The answer, and what it cost in each statement that asks the list's table."""
        self.wire.taken()
        response = await self.client.get(hot.path, params={**PAGE, **query})
        assert response.status_code == 200, response.text
        statements = [each for each in self.wire.taken() if hot.table in each.sql]
        assert statements, f"{query} was not asked of the database"
        for statement in statements:
            if statement not in self.known:
                self.known[statement] = await cost_of(self.connection, statement)
        return response.json(), [(statement, self.known[statement]) for statement in statements]

    async def page(self, hot: Hot, query: Query) -> tuple[dict[str, Any], Cost]:
        """What the rows of the page cost; not what their number costs."""
        answer, costs = await self.ask(hot, query)
        pages = [cost for statement, cost in costs if _is_page(statement)]
        return answer, reduce(Cost.__add__, pages)


@asynccontextmanager
async def registry(services: TestServices, running_app: RunningApp, sizes: Sizes) -> AsyncIterator[Registry]:
    with (
        services.fresh_database(f"scale_{sizes.ideas}") as url,
        # Not below the test's own folder: the path of a socket is short.
        TemporaryDirectory(prefix="handover") as folder,
    ):
        await fill(url, sizes)
        connection: Connection = await asyncpg.connect(url)
        try:
            async with (
                tapped(url, Path(folder)) as wire,
                running_app(database_url=wire.url, redis_url="memory", cache_ttl_s=1e-9) as client,
            ):
                yield Registry(client, wire, connection)
        finally:
            await connection.close()


def _is_page(statement: Statement) -> bool:
    """Also when it counts what matches in passing."""
    return not statement.sql.lstrip().lower().startswith("select count(")


def offered(document: Mapping[str, Any], hot: Hot) -> dict[str, list[str]]:
    """The query parameters of the list with the values that they enumerate."""
    found = {}
    for parameter in document["paths"][hot.path]["get"]["parameters"]:
        if parameter["in"] == "query":
            schema = parameter["schema"]
            choices = [schema, *schema.get("anyOf", ())]
            found[parameter["name"]] = [value for choice in choices for value in choice.get("enum", ())]
    return found


def orders(parameters: Mapping[str, list[str]]) -> list[Query]:
    pairs = itertools.product(parameters.get("order_by", ()), parameters.get("order_direction", ()))
    return [{"order_by": by, "order_direction": direction} for by, direction in pairs] or [{}]


def faults(hot: Hot, query: Query, costs: list[tuple[Statement, Cost]]) -> Iterator[str]:
    for statement, cost in costs:
        if hot.table in cost.scanned and (_is_page(statement) or hot.table not in SMALL):
            yield f"{hot.path} {dict(query)} reads the whole table:\n{statement.sql}\n{cost.plan}"
        if _is_page(statement) and cost.rows > READ_AT_MOST:
            yield f"{hot.path} {dict(query)} reads {cost.rows} rows:\n{statement.sql}\n{cost.plan}"


async def deep_cursor(registry: Registry, hot: Hot, query: Query) -> str | None:
    """Of a page that begins after nine tenths of what matches. None when that is only a page or two."""
    total: int | None = (await registry.ask(hot, query))[0].get("total")
    if total is not None and total < 500:
        return None
    if hot.table == "audit_entries":
        # It counts and skips no further than a little way, so its own pages do not lead there.
        row = await registry.connection.fetchrow(
            "SELECT at, id FROM audit_entries ORDER BY at, id OFFSET 100000 LIMIT 1"
        )
        assert row is not None
        return encode_place((), row["at"], str(row["id"]))
    assert total is not None
    answer, _ = await registry.ask(hot, {**query, "offset": str(total * 9 // 10)})
    cursor: str | None = answer.get("nextCursor")
    return cursor


async def faults_of_depth(registry: Registry, hot: Hot, query: Query) -> list[str]:
    cursor = await deep_cursor(registry, hot, query)
    if cursor is None:
        return []
    _, first = await registry.page(hot, query)
    answer, deep = await registry.page(hot, {**query, "cursor": cursor})
    assert answer["count"] == int(PAGE["limit"])
    if deep.pages <= 2 * first.pages + 50 and deep.rows <= READ_AT_MOST:
        return []
    said = f"{deep.rows} rows and {deep.pages} pages instead of {first.rows} and {first.pages}"
    return [f"{hot.path} {dict(query)} costs more in the depth: {said}\n{deep.plan}"]


async def test_every_filter_and_order_has_its_index_and_depth_costs_nothing(
    services: TestServices, running_app: RunningApp
) -> None:
    async with registry(services, running_app, Sizes()) as full:
        document = (await full.client.get("/openapi.json")).json()
        found: list[str] = []
        for hot in LISTS:
            parameters = offered(document, hot)
            assert parameters.keys() - PAGING == hot.filters.keys(), f"{hot.path} offers other filters"
            single = [{name: value} for name, values in hot.filters.items() for value in values]
            for wanted, order in itertools.product([{}, *single], orders(parameters)):
                query = {**wanted, **order}
                found += faults(hot, query, (await full.ask(hot, query))[1])
            if "cursor" in parameters:
                common = [{name: values[0]} for name, values in hot.filters.items()]
                assert await deep_cursor(full, hot, {}) is not None
                for start in ({}, *common, *orders(parameters)):
                    found += await faults_of_depth(full, hot, start)
        assert not found, f"{len(found)} faults\n" + "\n\n".join(found[:5])


async def test_a_page_with_its_total_costs_the_same_in_a_table_of_any_size(
    services: TestServices, running_app: RunningApp
) -> None:
    """Of those filters whose totals are not counted."""
    hots = [hot for hot in LISTS if hot.table in {"items", "ideas"}]
    found: dict[int, list[int]] = {}
    for rows in (2_000, 100_000):
        sizes = Sizes(systems=50, ideas=rows, items=rows, files=10, audit_entries=10)
        async with registry(services, running_app, sizes) as filled:
            for hot in hots:
                for query in ({"limit": "100"}, *({name: hot.filters[name][0]} for name in COUNTED)):
                    answer, cost = await filled.page(hot, query)
                    assert answer["total"] > answer["count"]
                    found.setdefault(rows, []).append(cost.pages)
    few, many = found.values()
    assert all(large <= 2 * small + 20 for small, large in zip(few, many, strict=True)), (few, many)


async def test_a_complete_list_does_not_hold_up_others(
    services: TestServices, running_app: RunningApp
) -> None:
    sizes = Sizes(systems=10, ideas=10, items=50_000, files=10, audit_entries=10)
    pauses: list[float] = []

    async def feel_pauses() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            pauses.append(time.thread_time() - before)

    async with registry(services, running_app, sizes) as filled:
        feeling = asyncio.create_task(feel_pauses())
        before = time.thread_time()  # of the clock, other processes would take their share
        response = await filled.client.get("/api/items")
        took = time.thread_time() - before
        feeling.cancel()
    assert response.json()["count"] == sizes.items
    assert max(pauses) < took / 4


async def test_the_check_itself_sees_a_missing_index_and_a_growing_cost(
    services: TestServices, running_app: RunningApp
) -> None:
    sizes = Sizes(systems=100, ideas=20_000, items=100, files=100, audit_entries=100)
    [ideas] = [hot for hot in LISTS if hot.table == "ideas"]
    async with registry(services, running_app, sizes) as small:
        query = {"status": "completed"}
        _, shallow = await small.page(ideas, query)
        assert not list(faults(ideas, query, (await small.ask(ideas, {"category": "api"}))[1]))
        _, offset = await small.page(ideas, {**query, "offset": "7000"})
        assert offset.rows > shallow.rows + 6000
        assert offset.pages > 2 * shallow.pages + 50
        await small.connection.execute("DROP INDEX ideas_category_created_at_id_idx, ideas_created_at_id_idx")
        small.known.clear()
        answered = await small.ask(ideas, {"category": "docs"})
        assert "reads the whole table" in "".join(faults(ideas, {}, answered[1]))
