"""Imports that are taken back but for what has changed since, and dry runs of it."""

from typing import TYPE_CHECKING

import httpx
import pytest

from features.imports.tests.factories import FIVE, imported, lowdb, undone
from features.imports.tests.test_undo import everything

if TYPE_CHECKING:
    import asyncpg


@pytest.mark.parametrize("how", ["changed", "overwritten"])
async def test_what_has_changed_can_be_kept(
    client: httpx.AsyncClient, sql: "asyncpg.Connection", how: str
) -> None:
    """The rest goes; the dry run says the same and changes nothing."""
    await imported(client, lowdb([FIVE[0]]))
    before = await everything(sql)
    job = await imported(client, lowdb([{**FIVE[0], "title": "x"}, *FIVE[1:]]), on_conflict="overwrite")
    what = "was changed"
    if how == "changed":
        await client.put("/api/items/42", json={"title": "Changed"})
    else:
        other = await imported(client, lowdb([{**FIVE[2], "title": "Changed"}]), on_conflict="overwrite")
        what = f"was overwritten by import {other['id']}"
    now = await everything(sql)
    expected = {
        "importJobId": job["id"],
        "deleted": 3,
        "restored": 1,
        "gone": 0,
        "kept": 1,
        "firstKept": [{"entity": "item", "id": "42", "what": what}],
    }
    tried = await undone(client, job["id"], keepChanged="true", dry_run="true")
    assert (tried["state"], tried["result"]) == ("succeeded", expected)
    assert await everything(sql) == now
    undo = await undone(client, job["id"], keep_changed="true")
    assert (undo["state"], undo["result"]) == ("succeeded", expected)
    assert await everything(sql) == {**before, "42": now["42"]}
    assert now["42"]["title"] == "Changed"


async def test_a_dry_run_of_an_undo_tells_the_conflicts(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    job = await imported(client, lowdb(list(FIVE)))
    before = await everything(sql)
    assert (await undone(client, job["id"], dryRun="true"))["result"]["deleted"] == 5
    assert await everything(sql) == before
    await client.put("/api/items/42", json={"title": "Changed"})
    tried = await undone(client, job["id"], dryRun="true")
    assert (tried["state"], tried["result"]["conflicts"]) == ("failed", 1)
