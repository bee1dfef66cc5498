"""Lists that were exported as CSV come in again as they were, whatever their rows hold."""

import io
import json
from itertools import product
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.imports.api import csv_lines
from features.imports.csv.reader import CsvReader
from features.imports.tests.factories import ended
from features.imports.tests.spreadsheets import EXPORTS, LISTS, imported
from tests.fixtures.database import Connection

_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_CELL: Final = st.one_of(_TEXT, st.text(" \t\r\n'\"=+-@,;[]a\u00a0\ufeff", max_size=6))

_AROUND: Final = (
    "",
    " ",
    "  \n",
    "\t",
    "\r",
    "\u00a0",
    "\x85",
    "'",
    "''",
    '"',
    "=",
    "'=",
    "''+",
    "@",
    "-",
    "[",
    ";",
)
WORDS: Final = [f"{before}x,y{after}" for before, after in product(_AROUND, _AROUND)]
"""Texts with what spreadsheets and readers of CSV take for something else on either side."""
REQUIRED: Final = {
    "items": {"category": "dashboard", "priority": "low", "status": "new"},
    "ideas": {"category": "docs", "priority": "low", "status": "new"},
    "systems": {"status": "online"},
}
TEXTS: Final = {
    "items": ("title", "description"),
    "ideas": ("title", "description", "assigned_to", "created_by"),
    "systems": ("name", "description", "category", "owner", "version", "icon", "color", "host", "url"),
}
UNWRITABLE: Final[dict[str, list[dict[str, object]]]] = {
    "items": [{"id": "i" * 512, "title": "t" * 500, "tags": ["g" * 300]}],
    "ideas": [{"description": None, "title": "t" * 255}, {"tags": ["g" * 300], "assigned_to": " "}],
    "systems": [{"description": None, "name": "n" * 255}, {"name": " n", "owner": " ", "version": ""}],
}
"""Values of an old service that nobody could write today."""


@pytest.mark.slow
@given(rows=st.lists(st.lists(_CELL, min_size=2, max_size=2), max_size=5))
def test_every_text_is_read_as_it_was_written(rows: list[list[str]]) -> None:
    told = [row for row in rows if any(map(str.strip, row))]
    written = csv_lines([["a", "b"], *rows]).encode()
    assert [record.cells for record in CsvReader(io.BytesIO(written))] == told


async def store(connection: Connection, into: str, rows: list[dict[str, object]]) -> None:
    names = ", ".join(rows[0])
    await connection.execute(
        f"INSERT INTO {into} ({names}) SELECT {names} FROM jsonb_populate_recordset(NULL::{into}, $1::jsonb)",
        json.dumps(rows),
    )


async def exported(client: httpx.AsyncClient, into: str) -> bytes:
    answer = await client.post(EXPORTS, params={"form": "csv", "list": into})
    job = await ended(client, answer.json()["data"]["id"])
    assert job["state"] == "succeeded", job
    return (await client.get(f"{EXPORTS}/{job['id']}/download")).content


def usual(into: str, number: int, word: str) -> dict[str, object]:
    return {
        **dict.fromkeys(TEXTS[into], word),
        **REQUIRED[into],
        "id": f"{word}{number}{word}",
        "tags": [word, ""],
        "created_at": f"2025-10-23T10:00:{number % 60:02d}Z",
    }


@pytest.mark.parametrize("into", LISTS)
async def test_rows_are_untouched_by_their_own_export(
    client: httpx.AsyncClient, connection: Connection, into: str
) -> None:
    rows = [usual(into, number, word) for number, word in enumerate(WORDS)]
    for number, odd in enumerate(UNWRITABLE[into]):
        rows.append(usual(into, number, "odd") | {TEXTS[into][0]: f"odd {number}"} | odd)
    await store(connection, into, rows)
    before = await exported(client, into)
    versions = await connection.fetch(f"SELECT * FROM {into} ORDER BY id")
    for choice in ({"on_conflict": "overwrite"}, {"on_conflict": "skip"}):
        job = await imported(client, before, into, **choice)
        assert (job["state"], job["rejected"], job["result"]["verified"]) == ("succeeded", 0, len(rows)), job
        assert (job["result"]["imported"], job["result"].get("updated", 0)) == (0, 0)
    assert await connection.fetch(f"SELECT * FROM {into} ORDER BY id") == versions
    assert await exported(client, into) == before


@pytest.mark.parametrize("into", LISTS)
async def test_rows_come_back_as_they_were(
    client: httpx.AsyncClient, connection: Connection, into: str
) -> None:
    rows = [usual(into, number, word) for number, word in enumerate(WORDS)]
    if into == "systems":
        rows = [row | {"url": "http://127.0.0.1/"} for row in rows]
    await store(connection, into, rows)
    before = await exported(client, into)
    await connection.execute(f"DELETE FROM {into}")
    job = await imported(client, before, into)
    assert (job["rejected"], job["result"]["imported"]) == (0, len(rows)), job["result"]
    assert await exported(client, into) == before


async def test_what_a_spreadsheet_left_around_values_is_taken_off_where_they_would_be_refused(
    client: httpx.AsyncClient,
) -> None:
    system = {"name": "Orders", "description": "d", "status": "online"}
    system_id = (await client.post(LISTS["systems"], json=system)).json()["data"]["id"]
    title = "t" * 200
    content = (
        "id,title,description,category,priority,systemId,createdAt,estimatedHours,tags\n"
        f"a,{title} ,d , docs,low ,{system_id} , 2025-10-23T10:00Z , 2 ,x ; y\n"
    )
    job = await imported(client, content, "ideas")
    assert (job["rejected"], job["result"]["imported"]) == (0, 1), job
    again = content.replace("\na,", "\n a ,").replace(",d ,", ",other,")
    result = (await imported(client, again, "ideas", on_conflict="overwrite"))["result"]
    assert (result["imported"], result["updated"]) == (0, 1)
    [idea] = (await client.get(LISTS["ideas"])).json()["data"]
    shown = [idea[name] for name in ("id", "title", "description", "category", "systemId", "tags")]
    assert shown == ["a", title, "other", "docs", system_id, ["x", "y"]]


@pytest.mark.parametrize(
    ("emptied", "told"), [("title", "must not be empty"), ("priority", "must be one of")]
)
async def test_a_cell_that_was_emptied_is_refused_though_the_row_has_a_value(
    client: httpx.AsyncClient, emptied: str, told: str
) -> None:
    row = {"id": "a", "title": "t", "description": "d", "category": "docs", "priority": "low"}
    head, cells = ",".join(row), ",".join(row.values())
    await imported(client, f"{head}\n{cells}\n", "ideas")
    changed = ",".join((row | {emptied: ""}).values())
    job = await imported(client, f"{head}\n{changed}\n", "ideas", on_conflict="overwrite", dry_run="true")
    [reject] = job["result"]["rejects"]
    assert reject["reason"].startswith(f"{emptied}: {told}")


async def test_no_cell_makes_an_id_that_cannot_be_looked_up(client: httpx.AsyncClient) -> None:
    content = "id,title,description,category,priority\na\0b,t,d,docs,low\n"
    job = await imported(client, content, "ideas")
    assert (job["state"], job["rejected"]) == ("succeeded", 1), job
