"""The cut-over pass: only what has changed in the source since the last import; nothing that people did."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from features.imports.tests.conftest import Held
from features.imports.tests.factories import (
    FIVE,
    Job,
    Record,
    ended,
    imported,
    lowdb,
    many,
    post,
    record,
    undone,
    write,
)
from tests.fixtures.commands import Handover
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

SINCE = {"since_last": "true"}


def counts(job: Job) -> dict[str, int]:
    return {name: job["result"]["sinceLast"][name] for name in ("new", "changed", "unchanged", "conflicts")}


async def item(client: httpx.AsyncClient, item_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"/api/items/{item_id}")).json()["data"]
    return data


def with_changes(*changes: Record) -> bytes:
    """The five, with those of the changes in their places."""
    by_id = {each["id"]: each for each in changes}
    return lowdb([by_id.get(each["id"], each) for each in FIVE])


async def test_only_what_has_changed_is_written(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    first = await imported(client, lowdb(list(FIVE)))
    before = {row["id"]: row["xmin"] for row in await sql.fetch("SELECT id, xmin::text FROM items")}
    changed, added = {**FIVE[2], "title": "Changed in the source"}, record(id="new")
    content = lowdb([FIVE[0], changed, FIVE[3], added, FIVE[4]])
    job = await imported(client, content, **SINCE)
    assert counts(job) == {"new": 1, "changed": 1, "unchanged": 3, "conflicts": 0}
    told = job["result"]["sinceLast"]
    assert (told["previous"], told["vanished"], told["firstVanished"]) == (first["id"], 1, [FIVE[1]["id"]])
    assert job["result"]["verified"] == 5
    after = {row["id"]: row["xmin"] for row in await sql.fetch("SELECT id, xmin::text FROM items")}
    assert {each for each in after if after[each] != before.get(each)} == {FIVE[2]["id"], "new"}
    assert (await item(client, "42"))["title"] == "Changed in the source"
    assert FIVE[1]["id"] in after, "what has vanished from the source stays"


async def test_the_same_file_again_changes_nothing(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb(list(FIVE)))
    before = await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id")
    for _ in range(2):
        job = await imported(client, lowdb(list(FIVE)), **SINCE)
        assert counts(job) == {"new": 0, "changed": 0, "unchanged": 5, "conflicts": 0}
        assert await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id") == before


async def test_what_people_did_is_left_alone(client: httpx.AsyncClient) -> None:
    """The source has not changed there, so their rows are not even looked at."""
    await imported(client, lowdb(list(FIVE)))
    await client.put("/api/items/42", json={"title": "Changed here"})
    await client.delete("/api/items/B")
    job = await imported(client, lowdb(list(FIVE)), **SINCE)
    assert counts(job) == {"new": 0, "changed": 0, "unchanged": 5, "conflicts": 0}
    assert (job["result"]["verified"], job["result"]["kept"]) == (3, 0)
    assert (await item(client, "42"))["title"] == "Changed here"
    assert (await client.get("/api/items/B")).status_code == 404


async def test_what_changed_on_both_sides_is_a_conflict_until_they_agree(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb(list(FIVE)))
    await client.put("/api/items/42", json={"title": "Changed here"})
    await client.delete("/api/items/B")
    theirs = {**FIVE[2], "title": "Changed there"}
    content = with_changes(theirs, {**FIVE[3], "title": "Changed there too"})
    for _ in range(2):
        job = await imported(client, content, **SINCE)
        assert counts(job) == {"new": 0, "changed": 0, "unchanged": 3, "conflicts": 2}
        reasons = {each["id"]: each["reason"] for each in job["result"]["sinceLast"]["firstConflicts"]}
        assert reasons == {
            "42": "has changed here and in the source",
            "B": "was deleted here and has changed in the source",
        }
        assert (await item(client, "42"))["title"] == "Changed here"
        assert (await client.get("/api/items/B")).status_code == 404
    back = with_changes(theirs)
    assert counts(await imported(client, back, **SINCE))["conflicts"] == 1
    assert counts(await imported(client, lowdb(list(FIVE)), **SINCE))["conflicts"] == 0
    await client.put("/api/items/42", json={"title": "Changed there"})
    for _ in range(2):
        job = await imported(client, back, **SINCE)
        assert counts(job) == {"new": 0, "changed": 0, "unchanged": 5, "conflicts": 0}, "they agree"


async def test_the_same_change_on_both_sides_is_none(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb(list(FIVE)))
    await sql.execute("UPDATE items SET title = 'Both', version = 2 WHERE id = '42'")
    job = await imported(client, with_changes({**FIVE[2], "title": "Both"}), **SINCE)
    assert counts(job) == {"new": 0, "changed": 0, "unchanged": 5, "conflicts": 0}


async def test_a_new_record_whose_id_is_taken_is_a_conflict(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb(list(FIVE)))
    await sql.execute("UPDATE items SET id = 'taken' WHERE id = '42'")
    job = await imported(client, lowdb([*FIVE, record(id="taken")]), **SINCE)
    [conflict] = job["result"]["sinceLast"]["firstConflicts"]
    assert conflict["id"] == "taken"
    assert (await item(client, "taken"))["title"] == "Terceira"


async def test_a_dry_run_tells_the_same_and_writes_nothing(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb(list(FIVE)))
    await client.put("/api/items/42", json={"title": "Changed here"})
    changes = ({**FIVE[2], "title": "Changed there"}, {**FIVE[0], "title": "Only there"})
    content = lowdb([changes[1], changes[0], *FIVE[3:], record(id="new")])
    before = await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id")
    foreseen = await imported(client, content, dry_run="true", **SINCE)
    assert await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id") == before
    done = await imported(client, content, **SINCE)
    assert counts(foreseen) == counts(done) == {"new": 1, "changed": 1, "unchanged": 2, "conflicts": 1}
    assert foreseen["result"]["sinceLast"] == done["result"]["sinceLast"]


async def test_what_was_undone_is_new_again(client: httpx.AsyncClient) -> None:
    """However many passes have found it unchanged in between."""
    await imported(client, lowdb([FIVE[0]]))
    first = await imported(client, lowdb([{**FIVE[0], "title": "Changed"}, FIVE[1]]), **SINCE)
    for _ in range(2):
        job = await imported(client, lowdb([{**FIVE[0], "title": "Changed"}, *FIVE[1:3]]), **SINCE)
    undo = await undone(client, first["id"])
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (1, 1)
    for expected in ({"new": 1, "changed": 1, "unchanged": 1}, {"new": 0, "changed": 0, "unchanged": 3}):
        content = lowdb([{**FIVE[0], "title": "Changed"}, *FIVE[1:3]])
        job = await imported(client, content, **SINCE)
        assert counts(job) == {**expected, "conflicts": 0}
    assert (await item(client, str(FIVE[0]["id"])))["title"] == "Changed"


async def test_a_record_that_becomes_unusable_has_not_vanished(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb(list(FIVE)))
    content = with_changes({**FIVE[2], "title": ""})
    for _ in range(2):
        job = await imported(client, content, **SINCE)
        assert (job["result"]["rejected"], job["result"]["sinceLast"]["vanished"]) == (1, 0)
        assert counts(job) == {"new": 0, "changed": 0, "unchanged": 4, "conflicts": 0}
    job = await imported(client, with_changes({**FIVE[2], "title": "Mended"}), **SINCE)
    assert counts(job) == {"new": 0, "changed": 1, "unchanged": 4, "conflicts": 0}


async def test_what_is_still_vanished_is_told_each_time(client: httpx.AsyncClient) -> None:
    """Also when a whole import came in between; until it is deleted here, which settles it, or comes back."""
    await imported(client, lowdb(list(FIVE)))
    for mode in (SINCE, SINCE, {}, SINCE):
        job = await imported(client, lowdb([FIVE[0], *FIVE[3:]]), **mode)
        if mode:
            assert job["result"]["sinceLast"]["firstVanished"] == [FIVE[1]["id"], "42"]
    await client.delete(f"/api/items/{quote(str(FIVE[1]['id']), safe='')}")
    job = await imported(client, lowdb([FIVE[0], *FIVE[3:]]), **SINCE)
    assert job["result"]["sinceLast"]["firstVanished"] == ["42"]
    back = lowdb([FIVE[0], {**FIVE[2], "title": "Back, and changed"}, *FIVE[3:]])
    job = await imported(client, back, **SINCE)
    assert counts(job) == {"new": 0, "changed": 1, "unchanged": 3, "conflicts": 0}
    assert job["result"]["sinceLast"]["vanished"] == 0


async def test_what_a_whole_import_left_as_it_was_comes_with_the_pass(client: httpx.AsyncClient) -> None:
    """It knows that nobody brought what the file said then."""
    await imported(client, lowdb(list(FIVE)))
    await client.put("/api/items/B", json={"title": "Changed here"})
    content = with_changes({**FIVE[2], "title": "Changed there"}, {**FIVE[3], "title": "Changed there"})
    job = await imported(client, lowdb([*json.loads(content)["items"], record(id="new")]))
    assert {name: job["result"][name] for name in ("imported", "kept", "differing", "verified")} == {
        "imported": 1,
        "kept": 5,
        "differing": 2,
        "verified": 4,
    }
    assert (await item(client, "42"))["title"] == "Terceira"
    job = await imported(client, content, **SINCE)
    assert counts(job) == {"new": 0, "changed": 1, "unchanged": 3, "conflicts": 1}
    assert job["result"]["sinceLast"]["firstVanished"] == ["new"]
    assert (await item(client, "42"))["title"] == "Changed there"
    assert (await item(client, "B"))["title"] == "Changed here"


async def test_what_a_broken_off_import_brought_is_known_to_the_next_one(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    broken = await imported(client, lowdb(list(FIVE)))
    await sql.execute("UPDATE import_runs SET finished_at = NULL WHERE job_id = $1", broken["id"])
    whole = await imported(client, lowdb(list(FIVE)))
    assert (whole["result"]["kept"], whole["result"]["differing"]) == (5, 0)
    job = await imported(client, with_changes({**FIVE[2], "title": "Changed there"}), **SINCE)
    assert counts(job) == {"new": 0, "changed": 1, "unchanged": 4, "conflicts": 0}


async def test_without_an_earlier_import_there_is_no_last_time(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb(list(FIVE)), **SINCE)
    assert job["state"] == "failed"
    assert "no last time" in job["error"]
    assert (await client.get("/api/items")).json()["count"] == 0


async def test_a_failed_import_is_no_last_time(client: httpx.AsyncClient, held_at: Held) -> None:
    await imported(client, lowdb(list(FIVE)))
    broken = await imported(client, lowdb(list(FIVE))[:-9])
    assert broken["state"] == "failed"
    assert counts(await imported(client, lowdb(list(FIVE)), **SINCE))["unchanged"] == 5


@pytest.mark.parametrize("mode", ["overwrite", "fail"])
async def test_it_decides_conflicts_itself(client: httpx.AsyncClient, mode: str) -> None:
    answer = await post(client, lowdb(list(FIVE)), on_conflict=mode, **SINCE)
    assert answer.status_code == 400


async def test_what_is_changed_while_it_runs_is_not_lost(client: httpx.AsyncClient, held_at: Held) -> None:
    """A person changes a row after preflight, before its batch: that is a conflict too."""
    await imported(client, lowdb(list(FIVE)))
    content = lowdb([{**FIVE[2], "title": "Changed there"}, record(id="held"), *FIVE[3:], *FIVE[:2]])
    async with held_at("held") as waiting:
        import asyncio

        posting = asyncio.create_task(post(client, content, **SINCE))
        await wait_for(waiting)
        change = asyncio.create_task(client.put("/api/items/42", json={"title": "Changed here"}))
        await asyncio.wait({change}, timeout=0.2)
    job = await ended(client, (await posting).json()["data"]["id"])
    answer = await change
    assert job["state"] == "succeeded", job["error"]
    title = (await item(client, "42"))["title"]
    assert title == ("Changed here" if answer.status_code == 200 else "Changed there")


async def test_a_summary_says_how_many_it_does_not_name(handover: Handover, tmp_path: Path) -> None:
    path = write(tmp_path, lowdb(many(25)))
    assert (await handover("import", "lowdb", str(path))).code == 0
    path.write_bytes(lowdb([record(title="")] * 22))
    told = (await handover("import", "lowdb", str(path), "--since-last", "--dry-run")).out
    assert len(re.findall(r"^  items\[\d+\]: ", told, re.MULTILINE)) == 20
    assert "\n  and 2 more records that cannot be imported\n" in told
    assert told.count(": has vanished from the source and is still here\n") == 20
    assert told.endswith("\n  and 5 more that have vanished\n")
