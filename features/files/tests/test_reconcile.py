"""The job `files.reconcile`: what nobody owns goes, what is missing is told, what is new is spared."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from core.database.client import Database
from core.feature import Feature
from core.settings import Settings
from features.files.jobs import GRACE
from features.files.tests.factories import FILES, JsonObject, stored_objects, upload
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for

PAST = GRACE.total_seconds() + 60


def orphan(store: Path, age_s: float = PAST, suffix: str = "") -> Path:
    key = str(uuid4())
    path = store / key[:2] / (key + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left")
    age(path, age_s)
    return path


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


async def reconciled(client: httpx.AsyncClient) -> JsonObject:
    response = await client.post(f"{FILES}/reconcile", headers={"x-user-id": "ada"})
    assert response.status_code == 202
    assert response.json()["data"]["kind"] == "files.reconcile"

    async def ended() -> Any:
        job = (await client.get(response.headers["location"])).json()["data"]
        return job if job["state"] not in ("queued", "running") else None

    job: JsonObject = await wait_for(ended)
    assert job["state"] == "succeeded", job
    result: JsonObject = job["result"]
    return result


async def test_objects_that_no_file_has_are_removed(client: httpx.AsyncClient, store: Path) -> None:
    files = [await upload(client, f"{number}.txt") for number in range(3)]
    kept = stored_objects(store)
    for path in kept:
        age(path, PAST)
    for _ in range(2):
        orphan(store)
    result = await reconciled(client)
    assert result == {
        "objects": 5,
        "foreign": 0,
        "removed": 2,
        "unfinished": 0,
        "rows": 3,
        "missing": 0,
        "missingIds": [],
    }
    assert stored_objects(store) == kept
    for file in files:
        assert (await client.get(f"{FILES}/{file['id']}/download")).status_code == 200


async def test_objects_that_another_slice_needs_stay(settings: Settings, store: Path) -> None:
    wanted, other = orphan(store), orphan(store)

    async def needed(db: Database, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(key for key in keys if key.endswith(wanted.name))

    own = new_app(settings, Feature("another", needs_objects=needed))
    async with lifespan_of(own), client_of(own) as client:
        assert (await reconciled(client))["removed"] == 1
    assert (wanted.exists(), other.exists()) == (True, False)


async def test_new_objects_are_spared_for_their_upload_may_still_run(
    client: httpx.AsyncClient, store: Path
) -> None:
    young = [orphan(store, 0), orphan(store, GRACE.total_seconds() - 60), orphan(store, 0, "#1")]
    result = await reconciled(client)
    assert (result["removed"], result["unfinished"]) == (0, 0)
    assert stored_objects(store) == sorted(young)


async def test_what_a_killed_writer_left_is_removed(client: httpx.AsyncClient, store: Path) -> None:
    orphan(store, suffix="#1")
    assert (await reconciled(client))["unfinished"] == 1
    assert stored_objects(store) == []


async def test_what_is_not_ours_is_left_alone(client: httpx.AsyncClient, store: Path) -> None:
    foreign = [store / "readme.txt", store / "ab" / "other", store / "zz" / "x#1"]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("somebody else's")
        age(path, PAST)
    result = await reconciled(client)
    assert (result["removed"], result["objects"], result["unfinished"]) == (0, 0, 0)
    assert stored_objects(store) == sorted(foreign)


async def test_files_without_their_object_are_told_and_stay(
    client: httpx.AsyncClient, store: Path, logs: list[dict[str, Any]]
) -> None:
    lost, cut, whole = [await upload(client, content=b"x" * size) for size in (1, 2, 3)]
    for path in stored_objects(store):
        if path.stat().st_size == 1:
            path.unlink()
        elif path.stat().st_size == 2:
            path.write_bytes(b"cut off")
    result = await reconciled(client)
    assert result["missing"] == 2
    assert sorted(result["missingIds"]) == sorted([lost["id"], cut["id"]])
    assert (await client.get(FILES)).json()["total"] == 3
    told = [entry["file_id"] for entry in logs if entry["event"] == "files.content_missing"]
    assert sorted(told) == sorted([lost["id"], cut["id"]])
    assert (await client.get(f"{FILES}/{whole['id']}/download")).status_code == 200


async def test_an_empty_store_is_in_order(client: httpx.AsyncClient, store: Path) -> None:
    result = await reconciled(client)
    assert (result["objects"], result["rows"], result["removed"], result["missing"]) == (0, 0, 0, 0)


async def test_many_objects_and_rows(client: httpx.AsyncClient, store: Path, connection: Connection) -> None:
    """More than fit in one batch of either."""
    keys = [str(uuid4()) for _ in range(2500)]
    for key in keys:
        (store / key[:2]).mkdir(parents=True, exist_ok=True)
        (store / key[:2] / key).write_bytes(b"1")
        age(store / key[:2] / key, PAST)
    await connection.executemany(
        "INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, uploaded_by, "
        "object_key) VALUES ($1, 'a.txt', 'a.txt', 'text/plain', 1, repeat('0', 64), 'ada', $2)",
        [(key, f"{key[:2]}/{key}") for key in [*keys[:2200], *(str(uuid4()) for _ in range(150))]],
    )
    result = await reconciled(client)
    assert (result["objects"], result["removed"]) == (2500, 300)
    assert (result["rows"], result["missing"], len(result["missingIds"])) == (2350, 150, 100)
    assert len(stored_objects(store)) == 2200


async def test_only_one_runs_at_a_time(client: httpx.AsyncClient, connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO jobs (id, kind, state, arguments, exclusive_key, actor) "
        "VALUES (gen_random_uuid(), 'files.reconcile', 'running', '{}', 'files.reconcile', 'ada')"
    )
    response = await client.post(f"{FILES}/reconcile")
    assert response.status_code == 409


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_it_is_started_by_post(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, f"{FILES}/reconcile", json={} if method == "PUT" else None)
    assert response.status_code == 404
