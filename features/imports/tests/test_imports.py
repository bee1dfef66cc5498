"""Imports over HTTP, from the form to the verified rows."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from core.database.client import Database
from features.imports.lowdb.validator import ItemValidator
from features.imports.pipeline.validator import Found
from features.imports.tests.factories import FIVE, IMPORTS, Record, ended, imported, lowdb, many, post, record

LEGACY_FILE = Path(__file__).resolve().parents[4] / "shared" / "legacy" / "library.json"
Folders = Callable[[], list[str]]


async def stored(client: httpx.AsyncClient) -> list[Record]:
    items: list[Record] = (await client.get("/api/items")).json()["data"]
    return items


def newest_first(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda each: str(each["createdAt"]), reverse=True)


async def test_five_records_arrive_field_by_field(client: httpx.AsyncClient, import_folders: Folders) -> None:
    assert await stored(client) == []
    content = lowdb(list(FIVE))
    job = await imported(client, content)
    assert (job["state"], job["done"], job["total"], job["rejected"]) == ("succeeded", 5, 5, 0)
    result = job["result"]
    assert (result["imported"], result["verified"]) == (5, 5)
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    assert result["bytes"] == len(content)
    assert await stored(client) == newest_first(list(FIVE))
    assert import_folders() == []


@pytest.mark.skipif(not LEGACY_FILE.exists(), reason="the real legacy file does not lie beside the project")
async def test_the_real_file_arrives_field_by_field(client: httpx.AsyncClient) -> None:
    content = await asyncio.to_thread(LEGACY_FILE.read_bytes)
    records = json.loads(content)["items"]
    job = await imported(client, content)
    assert job["result"]["verified"] == len(records)
    assert await stored(client) == newest_first(records)


@pytest.mark.parametrize(
    "content",
    [lowdb(list(FIVE), name="ideas"), json.dumps(FIVE).encode(), b"\xef\xbb\xbf" + lowdb(list(FIVE))],
    ids=["ideas", "bare array", "byte order mark"],
)
async def test_the_other_forms_arrive_too(client: httpx.AsyncClient, content: bytes) -> None:
    assert (await imported(client, content))["result"]["verified"] == 5
    assert await stored(client) == newest_first(list(FIVE))


async def test_the_answer_names_the_job(client: httpx.AsyncClient) -> None:
    answer = await post(client, lowdb([]), max_rejects="3", on_conflict="overwrite", dry_run="false")
    assert answer.status_code == 202
    body = answer.json()
    assert body["success"] is True
    assert body["message"] == "Import accepted"
    job = body["data"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["state"]) == ("import.lowdb", "queued")
    shown = {"source", "filename", "onConflict", "dryRun", "maxRejects", "sinceLast", "sha256"}
    assert set(job["arguments"]) == shown
    assert job["arguments"]["maxRejects"] == 3
    assert job["arguments"]["onConflict"] == "overwrite"


async def test_the_phases_come_in_their_order(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb(many(300)))
    events = (await client.get(f"/api/v1/jobs/{job['id']}/events")).text
    lines = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    phases = list(dict.fromkeys(each["phase"] for each in lines if "phase" in each))
    assert phases == ["preflight", "load", "verify", "report"]
    assert lines[-1]["state"] == "succeeded"


async def test_other_top_level_keys_are_reported(client: httpx.AsyncClient) -> None:
    content = json.dumps({"version": 2, "items": [FIVE[0]], "users": [{"name": "x"}]}).encode()
    job = await imported(client, content)
    assert job["result"]["ignored"] == ["version", "users"]
    assert job["result"]["verified"] == 1


async def test_bad_records_are_kept_with_their_reasons(client: httpx.AsyncClient) -> None:
    bad = record(title="a\0b", category="outra", note="\ud800 é")
    records = [FIVE[0], bad, FIVE[0], FIVE[1], 7]
    job = await imported(client, json.dumps({"items": records}).encode())
    assert job["state"] == "succeeded"
    assert (job["rejected"], job["result"]["imported"], job["result"]["verified"]) == (3, 2, 2)
    answer = await client.get(f"{IMPORTS}/{job['id']}/rejects")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert "attachment" in answer.headers["content-disposition"]
    rejects = [json.loads(line) for line in answer.text.splitlines()]
    assert [(each["position"], each["path"]) for each in rejects] == [
        (1, "items[1]"),
        (2, "items[2]"),
        (4, "items[4]"),
    ]
    assert [each["record"] for each in rejects] == [bad, FIVE[0], 7]
    assert [error["field"] for error in rejects[0]["errors"]] == ["title", "category"]
    assert rejects[1]["reason"] == "id: is already used by items[0]"


async def test_many_rejects_stream_in_the_order_of_the_source(client: httpx.AsyncClient) -> None:
    records = [record(id="", title=f"{number}", description="x" * 9000) for number in range(1200)]
    job = await imported(client, lowdb([*records, FIVE[0]]))
    assert job["result"]["rejected"] == 1200
    lines = (await client.get(f"{IMPORTS}/{job['id']}/rejects")).text.splitlines()
    assert [json.loads(line)["record"]["title"] for line in lines] == [str(number) for number in range(1200)]


async def test_an_import_without_rejects_has_an_empty_list(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb([FIVE[0]]))
    answer = await client.get(f"{IMPORTS}/{job['id']}/rejects")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("job_id", ["nonsense", "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01", "%00"])
async def test_rejects_of_an_unknown_import_are_404_or_400(client: httpx.AsyncClient, job_id: str) -> None:
    answer = await client.get(f"{IMPORTS}/{job_id}/rejects")
    assert answer.status_code == (400 if job_id == "%00" else 404)
    assert answer.json()["success"] is False


async def test_too_many_rejects_abort_before_anything_is_loaded(client: httpx.AsyncClient) -> None:
    records = [*FIVE, *[record(title="")] * 4]
    job = await imported(client, lowdb(records), max_rejects="3")
    assert job["state"] == "failed"
    assert job["error"].startswith(
        "More than 3 records cannot be imported, so nothing was; the first is items[5]"
    )
    assert await stored(client) == []
    lines = (await client.get(f"{IMPORTS}/{job['id']}/rejects")).text.splitlines()
    assert len(lines) == 4


async def test_as_many_rejects_as_allowed_do_not_abort(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb([*FIVE, *[record(title="")] * 3]), max_rejects="3")
    assert (job["state"], job["result"]["imported"]) == ("succeeded", 5)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda whole: whole[:-40], "The file ends too early"),
        (lambda whole: whole + b"]}]}", "Data after the end of the JSON document"),
        (lambda whole: whole[:600] + whole, "byte 6"),
        (lambda whole: whole.replace(b'"items"', b'"data"'), 'The object has no "items" list'),
    ],
    ids=["truncated", "trailing", "interleaved", "no list"],
)
async def test_a_broken_file_fails_before_anything_is_written(
    client: httpx.AsyncClient, import_folders: Folders, cut: Callable[[bytes], bytes], message: str
) -> None:
    job = await imported(client, cut(lowdb([record(title=""), *FIVE])))
    assert job["state"] == "failed"
    assert message in job["error"]
    assert "byte" in job["error"]
    assert await stored(client) == []
    assert (await client.get(f"{IMPORTS}/{job['id']}/rejects")).content == b""
    assert import_folders() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"source": ""}, "source"),
        ({"source": "mongodb"}, "source"),
        ({"on_conflict": "merge"}, "on_conflict"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"max_rejects": "-1"}, "max_rejects"),
        ({"max_rejects": "many"}, "max_rejects"),
    ],
)
async def test_wrong_options_are_400_and_leave_nothing(
    client: httpx.AsyncClient, import_folders: Folders, fields: dict[str, str], field: str
) -> None:
    answer = await post(client, lowdb(list(FIVE)), **fields)
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["details"]] == [field]
    assert import_folders() == []
    assert (await client.get("/api/v1/jobs")).json()["total"] == 0


async def test_forms_without_a_usable_file_are_refused(
    client: httpx.AsyncClient, import_folders: Folders
) -> None:
    empty = await post(client, b"")
    assert (empty.status_code, empty.json()["message"]) == (400, "The file is empty")
    missing = await client.post(IMPORTS, files={"source": (None, b"lowdb")})
    assert (missing.status_code, missing.json()["message"]) == (400, 'The form has no "file"')
    assert (await client.post(IMPORTS, json={"items": []})).status_code == 415
    assert (await client.post(IMPORTS)).status_code == 415
    assert import_folders() == []


async def test_a_description_of_a_million_different_words_is_imported(client: httpx.AsyncClient) -> None:
    """PostgreSQL refuses a row with over a megabyte of words in full text: that must not stop an import."""
    words = " ".join(f"ß{number:x}" for number in range(160_000))
    assert len(words) > 1_000_000
    tags = ["é" * 200 for _ in range(3)]
    job = await imported(client, lowdb([record(description=words[:1_048_576], tags=tags)]))
    assert (job["state"], job["result"]["verified"]) == ("succeeded", 1), job


@pytest.mark.parametrize("again", [0, 4, 9])
async def test_an_id_that_comes_twice_makes_nothing_else_seem_extra(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, again: int
) -> None:
    """Whether a validator gives it in the same batch or in a later one."""
    await imported(client, lowdb(many(10)))
    batches = ItemValidator.found

    async def doubled(validator: ItemValidator, db: Database) -> AsyncIterator[Found]:
        ids = [row_id async for found in batches(validator, db) for row_id in found.ids]
        yield Found(ids[:5], validator.collected())
        yield Found([*ids[5:], ids[again]], [])

    monkeypatch.setattr(ItemValidator, "found", doubled)
    files = {"file": ("library.json", lowdb(many(10)), "application/json")}
    answer = await client.post(f"{IMPORTS}/verify", files=files, data={"source": "lowdb"})
    result = (await ended(client, answer.json()["data"]["id"]))["result"]
    assert (result["records"], result["stored"], result["differences"]) == (10, 10, 0)
