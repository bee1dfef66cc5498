"""What the API would refuse and the old services allowed: it comes over, is shown, and stays while other
fields are changed; numbers and checksums are exact.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import export, file, idea, system
from features.imports.tests.registry.present import NEW_SYSTEM, created, one
from features.imports.tests.registry.test_live import _REAL, fill
from tests.fixtures.database import Connection

if TYPE_CHECKING:
    import asyncpg


async def test_what_the_old_service_allowed_is_taken_shown_and_changed_in_part(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    title, name, tag = "t" * 255, "n" * 255, "g" * 5000
    folder = export(
        tmp_path / "old",
        systems=[
            system(id="s", name=name, description=None, tags=json.dumps([tag])),
            system(id="e", description=""),
        ],
        ideas=[idea(id="i", title=title, description=None, tags=json.dumps([tag]), system_id="s")],
    )
    job = await takeover(folder)
    assert (job["result"]["imported"], job["result"]["rejected"], job["result"]["verified"]) == (3, 0, 3)
    for path, described in (("systems/s", "name"), ("ideas/i", "title")):
        shown = await one(client, path)
        assert (shown["description"], shown["tags"]) == ("", [tag])
        whole = {**shown, "status": "offline" if described == "name" else "review"}
        answer = await client.put(f"/api/v1/{path}", json=whole)
        assert answer.status_code == 200, answer.text
        changed = answer.json()["data"]
        assert {**changed, "updatedAt": None, "status": None} == {**shown, "updatedAt": None, "status": None}
        assert changed["status"] == whole["status"]
        for wrong in (
            {described: "x" * 255},
            {"tags": [tag, tag + "x"]},
            {"description": "", described: "y" * 201},
        ):
            refused = await client.put(f"/api/v1/{path}", json=wrong)
            assert refused.status_code == 400
            assert refused.json()["details"][0]["field"].split(".")[0] in wrong
    assert await sql.fetchval("SELECT count(*) FROM systems WHERE description IS NULL") == 2
    assert (await client.get("/api/v1/systems")).status_code == 200
    assert (await client.get("/api/v1/ideas/kanban")).json()["review"][0]["title"] == title
    assert (await one(client, "ideas/i"))["system"]["name"] == name
    unknown = await client.put("/api/v1/ideas/gone", json={"title": title})
    assert unknown.status_code == 400


async def test_a_long_description_of_a_file_is_taken_and_kept(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    long = "d" * 2000
    await takeover(export(tmp_path / "old", files=[file(id="f", description=long)]), files=uploads)
    answer = await client.put("/api/v1/files/f", json={"description": long, "is_public": False})
    assert (answer.status_code, answer.json()["data"]["description"]) == (200, long)
    assert (await client.put("/api/v1/files/f", json={"description": long + "d"})).status_code == 400


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 10**20])
async def test_numbers_in_metadata_come_exactly(
    number: int, takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    text = f'{{"n":{number},"__proto__":{{"deep":[{number}]}},"constructor":"x"}}'
    job = await takeover(export(tmp_path / "old", systems=[system(id="s", metadata=text)]))
    assert job["result"]["verified"] == 1
    assert (await one(client, "systems/s"))["metadata"] == json.loads(text)
    assert await sql.fetchval("SELECT metadata = $1::text::jsonb FROM systems", text)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 10**20])
async def test_numbers_in_jsonb_come_exactly_through_the_wire(
    number: int, takeover: Takeover, client: httpx.AsyncClient, old: Connection, old_url: str
) -> None:
    row_id = "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01"
    kinds = {**_REAL, "metadata": "jsonb"}
    metadata = {"n": number, "__proto__": {"deep": [number]}}
    await fill(old, kinds, systems=[system(id=row_id, tags=[], metadata=metadata)], ideas=[], files=[])
    job = await takeover(old_url, source="postgres")
    assert job["result"]["verified"] == 1
    assert (await one(client, f"systems/{row_id}"))["metadata"] == metadata


async def test_a_checksum_that_the_bytes_do_not_have_is_a_reject_with_both(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    there = hashlib.sha256((uploads / "guide.md").read_bytes()).hexdigest()
    said = hashlib.sha256(b"other").hexdigest()
    rows = [file(id="good", checksum=there), file(id="none", checksum=None), file(id="bad", checksum=said)]
    job = await takeover(export(tmp_path / "old", files=rows), files=uploads)
    assert (job["result"]["imported"], job["result"]["rejected"]) == (2, 1)
    [reject] = (await client.get(f"/api/v1/imports/{job['id']}/rejects")).text.splitlines()
    assert json.loads(reject)["errors"] == [
        {"field": "checksum", "message": f"is {said}, but that of the file is {there}"}
    ]


async def test_systems_of_one_name_are_told_apart(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    taken, other, third = [
        await created(client, "systems", {**NEW_SYSTEM, "name": name})
        for name in ("Mine", "Taken", "Taken (7)")
    ]
    folder = export(
        tmp_path / "old",
        systems=[
            system(id="1", name="Hub"),
            system(id="2", name="Hub"),
            system(id="3", name="Mine"),
            # Of a system that was renamed, only the last name counts.
            system(id="4", name="Hub", updated_at="2020-01-01T00:00:00Z"),
            system(id="4", name="Other"),
            system(id="5", name="n" * 255),
            system(id="6", name="n" * 255),
            system(id="7", name="Taken"),
        ],
        ideas=[idea(id="i", system_id="2")],
    )
    for on_conflict in ("skip", "overwrite"):
        job = await takeover(folder, on_conflict=on_conflict)
        assert (job["result"]["rejected"], job["result"]["superseded"], job["result"]["updated"]) == (0, 1, 0)
        assert job["result"]["tables"]["documentation_systems"]["adapted"] == {"name": 4}
    names = {each["id"]: each["name"] for each in (await client.get("/api/v1/systems")).json()["data"]}
    assert names == {
        taken: "Mine",
        "1": "Hub",
        "2": "Hub (2)",
        "3": "Mine (3)",
        "4": "Other",
        "5": "n" * 255,
        "6": f"{'n' * 251} (6)",
        "7": "Taken (7, 2)",
        other: "Taken",
        third: "Taken (7)",
    }
    shown = (await client.get("/api/v1/ideas/i")).json()["data"]
    assert shown["system"] == {"id": "2", "name": "Hub (2)"}
    legacy = json.loads(await sql.fetchval("SELECT legacy::text FROM systems WHERE id = '3'"))
    assert legacy["original"] == {"name": "Mine"}
