"""Lists as CSV: every row and field of the API's answers, harmless in a spreadsheet."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.exports.tests.factories import EXPORTS, ended, record, stringify
from tests.fixtures.commands import Handover

LISTS = {
    "items": "/api/items",
    "ideas": "/api/v1/ideas",
    "systems": "/api/v1/systems",
    "files": "/api/v1/files",
    "audit": "/api/v1/audit",
}
TITLE = 'Weiß, "quoted"\r\nand broken'


async def exported(client: httpx.AsyncClient, name: str) -> bytes:
    answer = await client.post(EXPORTS, params={"form": "csv", "list": name})
    assert answer.status_code == 202, answer.text
    job = await ended(client, answer.json()["data"]["id"])
    assert job["state"] == "succeeded", job["error"]
    download = await client.get(f"{EXPORTS}/{job['id']}/download")
    assert download.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="{name}.csv"' in download.headers["content-disposition"]
    return download.content


async def filled(client: httpx.AsyncClient) -> None:
    system = {"name": TITLE, "description": "d", "status": "online", "tags": ["a", "b,c"]}
    system_id = (await client.post("/api/v1/systems", json=system)).json()["data"]["id"]
    item = {"title": TITLE, "description": "d", "category": "dashboard", "priority": "low", "tags": ["ü"]}
    idea = {"title": TITLE, "description": "d", "category": "docs", "priority": "low", "systemId": system_id}
    for path, body in (("/api/items", item), ("/api/v1/ideas", {**idea, "estimatedHours": 2.5})):
        for _ in range(3):
            assert (await client.post(path, json=body)).status_code == 201
    form = {"file": ("n.txt", b"bytes", "text/plain")}
    assert (await client.post("/api/v1/files/upload", files=form)).status_code == 201


def rows_in(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def shown(row: dict[str, Any]) -> dict[str, str]:
    """Row of an answer as cells; one without a value is empty."""
    compact: Callable[[object], str] = lambda value: json.dumps(  # noqa: E731
        value, ensure_ascii=False, separators=(",", ":")
    )
    values = {name: value for name, value in row.items() if value is not None}
    return {name: value if isinstance(value, str) else compact(value) for name, value in values.items()}


@pytest.mark.parametrize("name", LISTS)
async def test_every_row_and_field_of_the_answers_is_there(client: httpx.AsyncClient, name: str) -> None:
    await filled(client)
    answer = (await client.get(LISTS[name])).json()["data"]
    content = await exported(client, name)
    assert content.count(b"\r\n") >= len(answer) + 1
    rows = {row["id"]: {field: cell for field, cell in row.items() if cell != ""} for row in rows_in(content)}
    assert rows == {row["id"]: shown(row) for row in answer}
    assert answer


async def test_a_list_of_many_pages_is_whole_and_an_empty_one_has_its_header(
    client: httpx.AsyncClient,
) -> None:
    assert (await exported(client, "items")).startswith(b"id,title,")
    body = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
    made = [(await client.post("/api/items", json=body)).json()["data"]["id"] for _ in range(450)]
    assert {row["id"] for row in rows_in(await exported(client, "items"))} == set(made)


@pytest.mark.parametrize("first", ["=", "+", "-", "@"])
async def test_no_text_is_a_formula(client: httpx.AsyncClient, first: str) -> None:
    text = f"{first}HYPERLINK(1)"
    body = {"title": text, "description": f"a{text}", "category": "dashboard", "priority": "low"}
    await client.post("/api/items", json=body)
    [row] = rows_in(await exported(client, "items"))
    assert (row["title"], row["description"]) == (f"'{text}", f"a{text}")


@pytest.mark.parametrize("wanted", [{"form": "csv"}, {"list": "items"}, {"form": "csv", "list": "jobs"}])
async def test_what_is_no_list_is_refused(client: httpx.AsyncClient, wanted: dict[str, str]) -> None:
    answer = await client.post(EXPORTS, params=wanted)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == ["list"]


async def test_a_list_goes_to_a_file_or_to_standard_output(handover: Handover, tmp_path: Path) -> None:
    source = tmp_path / "library.json"
    source.write_bytes(stringify({"items": [record(1), record(2)]}))
    assert (await handover("import", "lowdb", str(source))).code == 0
    outcome = await handover("export", "csv", "items", "items.csv")
    assert outcome.code == 0, outcome.err
    assert "records   2" in outcome.out
    content = await asyncio.to_thread((tmp_path / "items.csv").read_bytes)
    assert {row["id"] for row in rows_in(content)} == {"id-1", "id-2"}
    piped = await handover("export", "csv", "items", "-")
    assert piped.out.splitlines() == content.decode().splitlines()
    refused = await handover("export", "csv", "nothing", "-")
    assert (refused.code, refused.out) == (2, "")
