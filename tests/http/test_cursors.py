"""Lists by cursor, each in all its orders: every row once, in order, whatever comes and goes meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Final
from uuid import uuid4

import httpx
import pytest

from features.files.tests.factories import seed as seed_files
from features.ideas.tests.factories import seed as seed_ideas
from features.items.tests.factories import seed as seed_items
from features.systems.tests.factories import seed as seed_systems
from tests.fixtures.database import Connection
from tests.fixtures.pages import Pages, cursor_of, ids

ROWS: Final = 24


async def seed_jobs(connection: Connection, count: int) -> None:
    await connection.execute(
        "INSERT INTO jobs (id, kind, state, actor, arguments, created_at, finished_at) "
        "SELECT gen_random_uuid(), 'import.lowdb', 'failed', 'ana', "
        "jsonb_build_object('filename', 'library.json'), moment, moment "
        "FROM generate_series(1, $1::int) AS n, "
        "LATERAL (SELECT timestamptz '2025-01-01 00:00:00Z' + n / 2 * interval '1 second' AS moment) AS m",
        count,
    )


async def seed_ideas_with_ties(connection: Connection, count: int) -> None:
    await seed_ideas(connection, count)
    await connection.execute(
        "UPDATE ideas SET title = 'Título ' || length(title) || repeat('\"\\ 👍', length(id) % 2), "
        "updated_at = date_trunc('month', updated_at), due_date = date_trunc('month', due_date)"
    )


@dataclass(frozen=True, slots=True)
class Ordered:
    """A list in one of its orders."""

    path: str
    table: str
    seed: Callable[[Connection, int], Awaitable[None]]
    query: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.path.rpartition("/")[2], *self.query.values()])

    @property
    def pages(self) -> Pages:
        return Pages(self.path)

    async def everything(self, client: httpx.AsyncClient) -> list[str]:
        return [
            row_id
            for offset in range(0, ROWS, 100)
            for row_id in ids(await self.pages.page(client, **self.query, limit=100, offset=offset))
        ]


def in_orders(directions: tuple[str, str], *orders: str) -> list[dict[str, str]]:
    return [
        {"order_by": order, "order_direction": direction} for order, direction in product(orders, directions)
    ]


SLICES: Final[list[tuple[Ordered, list[dict[str, str]]]]] = [
    (Ordered("/api/items", "items", seed_items), [{}, {"q": "about"}]),
    (
        Ordered("/api/v1/ideas", "ideas", seed_ideas_with_ties),
        [
            *in_orders(
                ("asc", "desc"), "created_at", "updated_at", "title", "priority", "status", "due_date"
            ),
            {"search": "about", "order_by": "title"},
            {"search": "about"},
            {"status": "review", "order_by": "status"},
        ],
    ),
    (
        Ordered("/api/v1/systems", "systems", seed_systems),
        [
            *in_orders(("asc", "desc"), "created_at", "updated_at", "name"),
            {"search": "about"},
            {"status": "online", "order_by": "name"},
        ],
    ),
    (
        Ordered("/api/v1/files", "files", seed_files),
        in_orders(("ASC", "DESC"), "created_at", "size", "filename", "mime_type"),
    ),
    (Ordered("/api/v1/jobs", "jobs", seed_jobs), [{}, {"state": "failed"}]),
    (Ordered("/api/v1/imports", "jobs", seed_jobs), [{}]),
]
LISTS: Final = [
    Ordered(each.path, each.table, each.seed, query) for each, queries in SLICES for query in queries
]
each_list = pytest.mark.parametrize("ordered", LISTS, ids=str)


@each_list
async def test_pages_of_any_size_hold_every_row_once_and_in_order(
    client: httpx.AsyncClient, connection: Connection, ordered: Ordered
) -> None:
    await ordered.seed(connection, ROWS)
    everything = await ordered.everything(client)
    assert len(set(everything)) == len(everything) >= 4
    for size in (1, 3, len(everything) - 1, len(everything)):
        assert await ordered.pages.walk(client, **ordered.query, limit=size) == everything
    last = await ordered.pages.page(client, **ordered.query, limit=len(everything))
    assert "nextCursor" not in last
    assert list(last) == ["success", "count", "total", "data"]


@each_list
async def test_rows_that_come_and_go_neither_end_the_list_nor_move_it(
    client: httpx.AsyncClient, connection: Connection, ordered: Ordered
) -> None:
    """After each page the row that its cursor names goes, one that was not shown yet too, and one comes."""
    await ordered.seed(connection, ROWS)
    left = await ordered.everything(client)
    shown: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(ROWS):
        body = await ordered.pages.page(client, **ordered.query, **cursor, limit=2)
        old = [row_id for row_id in ids(body) if row_id in left]
        assert old == left[: len(old)]
        del left[: len(old)]
        assert not set(ids(body)) & set(shown)
        shown += ids(body)
        if "nextCursor" not in body:
            break
        cursor = {"cursor": body["nextCursor"]}
        gone = [ids(body)[-1], *left[1:2]]
        del left[1:2]
        await connection.execute(f"DELETE FROM {ordered.table} WHERE id::text = ANY($1)", gone)
        await copy_one(connection, ordered.table)
    assert not left


async def copy_one(connection: Connection, table: str) -> None:
    """A row like one of the others: with the same place in most orders."""
    number = str(uuid4())
    unique = {"systems": ["id", "name"], "files": ["id", "object_key"]}.get(table, ["id"])
    await connection.execute(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(each, $1::text::jsonb)).* "
        f"FROM {table} AS each ORDER BY random() LIMIT 1",
        "{" + ", ".join(f'"{name}": "{number}"' for name in unique) + "}",
    )


async def test_a_cursor_belongs_to_its_list_and_order(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for seed in {each.table: each.seed for each in LISTS}.values():
        await seed(connection, ROWS)
    plain = [each for each in LISTS if each.query.keys() <= {"order_by", "order_direction"}]
    cursors = [(await each.pages.page(client, **each.query, limit=2))["nextCursor"] for each in plain]
    for (place, asked), (whose, cursor) in product(enumerate(plain), enumerate(cursors)):
        answer = await client.get(asked.path, params={**asked.query, "cursor": cursor})
        if place == whose:
            assert answer.status_code == 200
            answer = await client.get(asked.path, params={**asked.query, "cursor": cursor, "offset": "1"})
            assert [each["field"] for each in answer.json()["details"]] == ["offset"]
        else:
            assert [each["field"] for each in answer.json()["details"]] == ["cursor"], (str(asked), whose)
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "ordered",
    [each for each in LISTS if each.table in ("ideas", "systems")],
    ids=str,
)
async def test_a_forged_cursor_is_refused_or_a_place_like_any_other(
    client: httpx.AsyncClient, connection: Connection, ordered: Ordered
) -> None:
    await ordered.seed(connection, ROWS)
    order = ordered.query.get("order_by", "created_at")
    direction = ordered.query.get("order_direction") or {"title": "asc", "name": "asc", "status": "asc"}.get(
        order, "desc"
    )
    keys = ["", "-1", "01", "٣", "9" * 30, "infinity", "2025-01-01", "2025-01-01T00:00:00.000Z", "NULL"]
    for key, row_id in product([*keys, "9999-12-31T23:59:59.999Z", "2147483647", "'"], ["", "'\U0010ffff"]):
        cursor = cursor_of(ordered.table, order, direction, key, row_id)
        answer = await client.get(ordered.path, params={**ordered.query, "cursor": cursor})
        assert answer.status_code in (200, 400), (key, answer.text)
        if answer.status_code == 400:
            assert [each["field"] for each in answer.json()["details"]] == ["cursor"]
        else:
            assert order in ("title", "name") or key[:1].isdigit() or order == "due_date"


@pytest.mark.parametrize(
    ("path", "table", "seed", "column"),
    [
        ("/api/v1/ideas", "ideas", seed_ideas, "title"),
        ("/api/v1/systems", "systems", seed_systems, "name"),
        ("/api/v1/files", "files", seed_files, "filename"),
    ],
)
async def test_the_longest_text_and_id_have_a_cursor(
    client: httpx.AsyncClient,
    connection: Connection,
    path: str,
    table: str,
    seed: Callable[[Connection, int], Awaitable[None]],
    column: str,
) -> None:
    """The sign becomes three when it is taken apart, as orders that fold do."""
    await seed(connection, 3)
    await connection.execute(
        f"UPDATE {table} SET id = repeat('👍', 127) || right(id, 1), "
        f"{column} = repeat($1, 254) || right(id, 1)",
        "\U0001d160",
    )
    assert len(set(await Pages(path).walk(client, order_by=column, limit=1))) == 3


@pytest.mark.parametrize(("path", "table"), [("/api/items", "items"), ("/api/v1/ideas", "ideas")])
async def test_a_cursor_that_names_no_list_holds_as_it_was_issued(
    client: httpx.AsyncClient, connection: Connection, path: str, table: str
) -> None:
    await {"items": seed_items, "ideas": seed_ideas}[table](connection, 5)
    rows = (await Pages(path).page(client))["data"]
    cursor = cursor_of(rows[1]["createdAt"], rows[1]["id"])
    assert ids(await Pages(path).page(client, cursor=cursor)) == [row["id"] for row in rows[2:]]
