"""The registry's cut-over pass: what has changed in the source since the last import, nobody overwritten."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.imports.tests.registry.conftest import Job, Takeover
from features.imports.tests.registry.factories import Old, entry, export, idea, system
from features.imports.tests.registry.present import one
from features.imports.tests.registry.test_takeover import rejects

if TYPE_CHECKING:
    import asyncpg

LATER, LATEST = "2024-06-01T00:00:00.000000Z", "2024-07-01T00:00:00.000000Z"
NOTHING = {"new": 0, "changed": 0, "unchanged": 0, "conflicts": 0, "vanished": 0}


def counts(job: Job, **expected: int) -> bool:
    """Whether the figures are these, and the others nothing."""
    assert job["state"] == "succeeded", job.get("error")
    found = {name: job["result"]["sinceLast"][name] for name in NOTHING}
    assert found == {**NOTHING, **expected}
    return True


def reasons(job: Job) -> dict[str, str]:
    return {each["id"]: each["reason"] for each in job["result"]["sinceLast"]["firstConflicts"]}


def newer(row: Old, **changes: object) -> list[Old]:
    """As QuestDB keeps an update: the row as it was, and a version behind it."""
    return [row, {**row, "updated_at": LATER, "designated_timestamp": LATER, **changes}]


async def versions(sql: "asyncpg.Connection") -> dict[str, str]:
    rows = [row for table in ("systems", "ideas") for row in await sql.fetch(f"SELECT * FROM {table}")]
    return {row["id"]: f"{row['row_version']} {row['updated_at']}" for row in rows}


async def test_a_plain_second_import_says_what_it_left_and_the_pass_brings_it(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    rows = [idea(id="a", title="Old"), idea(id="b", title="Old")]
    await takeover(export(tmp_path / "first", ideas=rows))
    second = export(tmp_path / "second", ideas=[each for row in rows for each in newer(row, title="New")])
    job = await takeover(second)
    figures = {name: job["result"][name] for name in ("imported", "kept", "differing", "verified")}
    assert figures == {"imported": 0, "kept": 2, "differing": 2, "verified": 0}
    assert job["result"]["tables"]["documentation_ideas"]["differing"] == 2
    assert (job["result"]["superseded"], await rejects(client, job["id"])) == (2, [])
    assert (await one(client, "ideas/a"))["title"] == "Old"
    assert counts(await takeover(second, since_last=True), changed=2)
    assert (await one(client, "ideas/a"))["title"] == "New"
    again = await takeover(second)
    assert (again["result"]["kept"], again["result"]["differing"], again["result"]["verified"]) == (2, 0, 2)


async def test_only_what_has_changed_is_written(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    hub, orders = system(id="s", name="Hub"), system(id="t", name="Orders")
    same, changed, gone = idea(id="same", system_id="s"), idea(id="changed"), idea(id="gone")
    first = await takeover(export(tmp_path / "old", systems=[hub, orders], ideas=[same, changed, gone]))
    assert (await client.get("/api/v1/ideas")).json()["total"] == 3
    before = await versions(sql)
    folder = export(
        tmp_path / "old",
        systems=[hub, *newer(orders, name="Payments"), system(id="u", name="New")],
        ideas=[same, *newer(changed, title="Changed there", system_id="u"), idea(id="added", system_id="t")],
    )
    job = await takeover(folder, since_last=True)
    assert counts(job, new=2, changed=2, unchanged=2, vanished=1)
    told = job["result"]["sinceLast"]
    assert (told["previous"], told["firstVanished"]) == (first["id"], ["idea gone"])
    ideas_told = job["result"]["tables"]["documentation_ideas"]["sinceLast"]
    assert (ideas_told["new"], ideas_told["changed"], ideas_told["firstVanished"]) == (1, 1, ["gone"])
    assert (job["result"]["verified"], job["result"]["kept"]) == (6, 0)
    assert job["arguments"]["sinceLast"] is True
    after = await versions(sql)
    assert {each for each in after if after[each] != before.get(each)} == {"t", "u", "changed", "added"}
    shown = await one(client, "ideas/changed")
    assert (shown["title"], shown["system"]["name"]) == ("Changed there", "New")
    assert (await client.get("/api/v1/ideas")).json()["total"] == 4, "what has vanished stays"
    entries = await sql.fetch(
        "SELECT entity, changes::text FROM audit_entries WHERE entity_id = $1 ORDER BY id", job["id"]
    )
    assert [each["entity"] for each in entries] == ["system", "idea"]
    assert all('"updated": 1' in each["changes"] and '"inserted": 1' in each["changes"] for each in entries)
    for _ in range(2):
        assert counts(await takeover(folder, since_last=True), unchanged=6, vanished=1)
    assert await versions(sql) == after


async def test_what_people_did_is_left_alone(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = export(
        tmp_path / "old",
        systems=[system(id="s", name="Hub")],
        ideas=[idea(id="a", system_id="s"), idea(id="b")],
    )
    await takeover(folder)
    await client.put("/api/v1/ideas/a", json={"title": "Changed here"})
    await client.delete("/api/v1/ideas/b")
    await client.delete("/api/v1/systems/s")
    for _ in range(2):
        job = await takeover(folder, since_last=True)
        assert counts(job, unchanged=3)
    shown = await one(client, "ideas/a")
    assert (shown["title"], shown.get("system")) == ("Changed here", None)
    assert (await client.get("/api/v1/ideas/b")).status_code == 404
    assert (await client.get("/api/v1/systems")).json()["data"] == []


async def test_what_changed_on_both_sides_is_a_conflict_until_they_agree(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    hub, a, b = system(id="s", name="Hub"), idea(id="a"), idea(id="b")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a, b]))
    await client.put("/api/v1/systems/s", json={"owner": "here"})
    await client.put("/api/v1/ideas/a", json={"title": "Changed here"})
    await client.delete("/api/v1/ideas/b")
    folder = export(
        tmp_path / "old",
        systems=newer(hub, owner="there"),
        ideas=[*newer(a, title="Changed there"), *newer(b, title="Changed there")],
    )
    both = "has changed here and in the source"
    for _ in range(2):
        job = await takeover(folder, since_last=True)
        assert counts(job, conflicts=3)
        assert reasons(job) == {
            "system s": both,
            "idea a": both,
            "idea b": "was deleted here and has changed in the source",
        }
        assert (await one(client, "ideas/a"))["title"] == "Changed here"
    await client.put("/api/v1/ideas/a", json={"title": "Changed there"})
    await client.put("/api/v1/systems/s", json={"owner": "there"})
    for _ in range(2):
        assert counts(await takeover(folder, since_last=True), unchanged=2, conflicts=1)
    later = export(tmp_path / "old", systems=newer(hub, owner="there"), ideas=[a, b])
    assert counts(await takeover(later, since_last=True), unchanged=2, conflicts=1), "a was taken back there"


async def test_a_new_row_whose_id_is_taken_is_a_conflict(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "old", ideas=[idea(id="a")]))
    ours = (
        await client.post(
            "/api/v1/ideas",
            json={"title": "Ours", "description": "d", "category": "docs", "priority": "low"},
        )
    ).json()["data"]["id"]
    await sql.execute("UPDATE ideas SET id = 'taken' WHERE id = $1", ours)
    folder = export(tmp_path / "old", ideas=[idea(id="a"), idea(id="taken")])
    job = await takeover(folder, since_last=True)
    assert reasons(job) == {"idea taken": "is new in the source, but another one is stored under this id"}
    assert (await one(client, "ideas/taken"))["title"] == "Ours"


async def test_a_row_that_becomes_unusable_has_not_vanished(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    hub, a = system(id="s", name="Hub"), idea(id="a", system_id="s")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a]))
    bad = export(tmp_path / "old", systems=[hub], ideas=newer(a, title=""))
    for _ in range(2):
        job = await takeover(bad, since_last=True)
        assert counts(job, unchanged=1)
        assert job["result"]["rejected"] == 1
    mended = export(tmp_path / "old", systems=[hub], ideas=newer(a, title="Mended"))
    assert counts(await takeover(mended, since_last=True), changed=1, unchanged=1)
    assert (await one(client, "ideas/a"))["title"] == "Mended"


async def test_a_link_comes_when_what_it_leads_to_has_come(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The idea's own row in the source is the same."""
    hub, a = system(id="s", name=""), idea(id="a", system_id="s")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a]))
    assert (await one(client, "ideas/a")).get("system") is None
    folder = export(tmp_path / "old", systems=newer(hub, name="Hub"), ideas=[a])
    assert counts(await takeover(folder, since_last=True), new=1, changed=1)
    assert (await one(client, "ideas/a"))["system"]["name"] == "Hub"


async def test_a_row_of_something_that_was_deleted_here_comes_without_it(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    hub, a = system(id="s", name="Hub"), idea(id="a", system_id="s")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a]))
    await client.delete("/api/v1/systems/s")
    folder = export(
        tmp_path / "old", systems=[hub], ideas=[*newer(a, title="New"), idea(id="b", system_id="s")]
    )
    job = await takeover(folder, since_last=True)
    assert counts(job, new=1, changed=1, unchanged=1)
    assert job["result"]["tables"]["documentation_ideas"]["adapted"] == {"system_id": 2}
    assert [(await one(client, f"ideas/{each}")).get("system") for each in ("a", "b")] == [None, None]


async def test_what_is_still_vanished_is_told_each_time(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Also after a whole import, and beside a table that is left out; until it is deleted here or returns."""
    hub, a, b = system(id="s", name="Hub"), idea(id="a"), idea(id="b")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a, b]))
    without = export(tmp_path / "without", ideas=[idea(id="c")])
    for mode in (True, True, False, True):
        job = await takeover(without, since_last=mode)
        if mode:
            assert job["result"]["sinceLast"]["firstVanished"] == ["idea a", "idea b"]
    await client.delete("/api/v1/ideas/a")
    folder = export(tmp_path / "old", systems=[hub], ideas=[*newer(b, title="Back"), idea(id="c")])
    job = await takeover(folder, since_last=True)
    assert job["result"]["sinceLast"]["vanished"] == 0
    assert (job["result"]["sinceLast"]["changed"], (await one(client, "ideas/b"))["title"]) == (1, "Back")
    assert job["result"]["tables"]["documentation_systems"]["sinceLast"]["unchanged"] == 1


async def test_a_dry_run_tells_the_same_and_writes_nothing(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    hub, a, b = system(id="s", name="Hub"), idea(id="a"), idea(id="b")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a, b], audit_log=[entry(id="e")]))
    await client.put("/api/v1/ideas/a", json={"title": "Changed here"})
    before = await versions(sql)
    folder = export(
        tmp_path / "old",
        systems=newer(hub, owner="there"),
        ideas=[*newer(a, title="Changed there"), idea(id="new")],
        audit_log=[entry(id="e"), entry(id="f")],
    )
    foreseen = await takeover(folder, since_last=True, dry_run=True)
    assert await versions(sql) == before
    done = await takeover(folder, since_last=True)
    assert counts(done, new=2, changed=1, unchanged=1, conflicts=1, vanished=1)
    assert foreseen["result"]["sinceLast"] == done["result"]["sinceLast"]


async def test_without_an_earlier_import_there_is_no_last_time(takeover: Takeover, tmp_path: Path) -> None:
    job = await takeover(export(tmp_path / "old", ideas=[idea()]), since_last=True)
    assert job["state"] == "failed"
    assert job["error"] == (
        "No old registry has been imported yet, so there is no last time; import it as a whole"
    )


@pytest.mark.parametrize("mode", ["overwrite", "fail"])
async def test_it_decides_conflicts_itself(takeover: Takeover, tmp_path: Path, mode: str) -> None:
    folder = export(tmp_path / "old", ideas=[idea()])
    with pytest.raises(ValueError, match="cannot be chosen together with on_conflict"):
        await takeover(folder, since_last=True, on_conflict=mode)


async def test_of_one_name_it_stays_whose_it_was_whatever_the_order(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = system(id="b", name="Hub"), system(id="c", name="Hub")
    later = system(id="a", name="Hub", created_at=LATER)
    await takeover(export(tmp_path / "old", systems=[first, second, later]))
    names = {"a": "Hub (a)", "b": "Hub", "c": "Hub (c)"}
    changed = export(tmp_path / "old", systems=[later, second, *newer(first, description="Changed there")])
    assert counts(await takeover(changed, since_last=True), changed=1, unchanged=2)
    assert {each: (await one(client, f"systems/{each}"))["name"] for each in names} == names
    assert counts(await takeover(changed, since_last=True), unchanged=3)
