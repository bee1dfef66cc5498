"""The form of an upload: both spellings of its fields, and nothing that would be ignored."""

from typing import Any

import httpx
import pytest

from features.imports.tests.factories import FIVE, IMPORTS, imported, lowdb, post

FILE = ("file", ("library.json", lowdb(list(FIVE)), "application/json"))


async def send(client: httpx.AsyncClient, *fields: tuple[str, str]) -> httpx.Response:
    parts: list[tuple[str, Any]] = [FILE, ("source", (None, "lowdb"))]
    parts += [(name, (None, value)) for name, value in fields]
    return await client.post(IMPORTS, files=parts)


async def count(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/items")).json()["count"])


@pytest.mark.parametrize("name", ["dry_run", "dryRun"])
async def test_a_dry_run_writes_nothing_however_it_is_spelt(client: httpx.AsyncClient, name: str) -> None:
    job = await imported(client, lowdb(list(FIVE)), **{name: "true"})
    assert (job["state"], job["arguments"]["dryRun"]) == ("succeeded", True)
    assert await count(client) == 0


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("onConflict", "overwrite", ("onConflict", "overwrite")),
        ("sinceLast", "true", ("sinceLast", True)),
        ("maxRejects", "3", ("maxRejects", 3)),
    ],
)
async def test_every_option_is_taken_as_the_api_itself_calls_it(
    client: httpx.AsyncClient, name: str, value: str, shown: tuple[str, object]
) -> None:
    job = (await post(client, lowdb(list(FIVE)), **{name: value})).json()["data"]
    assert job["arguments"][shown[0]] == shown[1]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ([("dry-run", "true")], "dry-run", "not a known field"),
        ([("DRY_RUN", "true")], "DRY_RUN", "not a known field"),
        ([("dry_run", "true"), ("dryRun", "false")], "dry_run", "dryRun"),
        ([("dry_run", "true"), ("dry_run", "false")], "dry_run", "more than once"),
        ([("on_conflict", "owerwrite")], "on_conflict", "'skip', 'overwrite' or 'fail'"),
        ([("max_rejects", "1_0")], "max_rejects", "whole number"),
        ([("max_rejects", "-1")], "max_rejects", "at least 0"),
        ([("since_last", "true"), ("on_conflict", "fail")], "since_last", "on_conflict"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_field_and_nothing_is_imported(
    client: httpx.AsyncClient, fields: list[tuple[str, str]], field: str, message: str
) -> None:
    answer = await send(client, *fields)
    assert answer.status_code == 400
    [told] = answer.json()["details"]
    assert told["field"] == field
    assert message in told["message"]
    assert answer.json()["errors"] == [f"{field}: {told['message']}"]
    assert await count(client) == 0
    assert (await client.get("/api/v1/jobs")).json()["data"] == []


async def test_a_field_that_is_given_twice_alike_is_one(client: httpx.AsyncClient) -> None:
    answer = await send(client, ("dry_run", "true"), ("dry_run", "true"), ("dryRun", "true"))
    assert answer.status_code == 202
