"""What a page costs, whatever the number of rows."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.console.pages import make_rows
from tests.console.people import signed_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

FEW, MANY = 200, 3_000
MOST_QUERIES = 24
"""Fewer than the rows that a list shows: none is asked for by itself."""

# By the kind of a row its table, and the columns besides the id that no two rows share.
TABLES = {
    "item": ("items",),
    "system": ("systems", "name"),
    "idea": ("ideas",),
    "file": ("files", "object_key"),
    "job": ("jobs",),
    "webhook": ("webhooks",),
}


async def multiply(connection: "Connection", ids: "Mapping[str, str]", count: int) -> None:
    """Fill each table up to `count` rows, with copies of one."""
    for kind, (table, *unique) in TABLES.items():
        own = ", ".join(f"'{column}', gen_random_uuid()" for column in ("id", *unique))
        await connection.execute(
            f"INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object({own}))).*"
            f" FROM {table} AS one, generate_series((SELECT count(*) FROM {table}) + 1, $2::int)"
            " WHERE one.id::text = $1",
            ids[kind],
            count,
        )


def queries(page: "httpx.Response") -> int:
    [found] = re.findall(r'desc="(\d+) quer', page.headers["server-timing"])
    return int(found)


@pytest.mark.slow
async def test_a_page_takes_few_queries_and_as_many_bytes_whatever_the_number_of_rows(
    running_app: "RunningApp", connection: "Connection", db: "Database"
) -> None:
    """Each is asked of an app that has just started: its cache is empty."""
    async with running_app() as client:
        rows = await make_rows(client)
        await client.put(f"/api/v1/webhooks/{rows.ids['webhook']}", json={"active": False})
    costs = []
    for count in (FEW, MANY):
        await multiply(connection, rows.ids, count)
        async with running_app(auth="keys") as client:
            await signed_in(client, db, "admin")
            pages = {path: await client.get(path) for path in rows.pages}
        assert {path: page.status_code for path, page in pages.items() if not page.is_success} == {
            "/console/sign-in": 303
        }
        costs.append({path: (queries(page), len(page.content)) for path, page in pages.items()})
    for path, (few, many) in {path: (costs[0][path], costs[1][path]) for path in rows.pages}.items():
        assert max(few[0], many[0]) <= MOST_QUERIES, path
        assert many[1] < 1.1 * few[1] + 1000, path
