"""Pages of changes: what they tell, filters, and positions to go on after."""

import itertools

import httpx
import pytest

from core.feature import Feature
from core.settings import Settings
from features.changes.jobs import RETENTION
from features.changes.tests.listening import CHANGES, create_item, pages
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.jobs import RunJob
from tests.fixtures.refusals import assert_refused


async def test_a_change_says_what_was_changed_and_no_values(client: httpx.AsyncClient) -> None:
    item = await create_item(client)
    path = f"/api/items/{item['id']}"
    await client.put(path, json={"status": "review"}, headers={"x-user-id": "ada"})
    await client.delete(path)
    created, updated, deleted = await pages(client)
    assert {change["entityId"] for change in (created, updated, deleted)} == {item["id"]}
    assert [change["action"] for change in (created, updated, deleted)] == ["created", "updated", "deleted"]
    assert updated == {
        "position": updated["position"],
        "at": updated["at"],
        "entity": "item",
        "entityId": item["id"],
        "action": "updated",
        "fields": ["status", "updatedAt"],
        "user": "ada",
    }
    assert int(created["position"]) < int(updated["position"]) < int(deleted["position"])


async def test_filters_hold_together_and_pages_go_on(client: httpx.AsyncClient) -> None:
    items = [await create_item(client) for _ in range(3)]
    for item in items:
        await client.put(f"/api/items/{item['id']}", json={"status": "review"})
    everything = await pages(client)
    assert everything == await pages(client, limit=1)
    assert [each["entityId"] for each in everything] == [item["id"] for item in items] * 2
    for query, kept in (
        ("&entity=item", everything),
        ("&entity=system", []),
        ("&action=updated", everything[3:]),
        (f"&entityId={items[1]['id']}", everything[1::3]),
        (f"&entity_id={items[1]['id']}&action=created", everything[1:2]),
    ):
        assert await pages(client, query) == kept, query


async def test_a_kind_of_row_that_no_feature_has_is_refused(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    for word in ("itmes", "items", "Item", "", "note", "\U0001f642" * 900):
        for path in (CHANGES, f"{CHANGES}/events"):
            refused = await client.get(path, params={"entity": word})
            assert_refused(refused, "entity", "must be one of 'item', ")
    notes = Feature("notes", entities=("note", "quote"))
    own = new_app(settings, notes)
    published = own.openapi()["components"]["schemas"]["Entity"]["enum"]
    assert {"item", "idea", "system", "file", "webhook", "key", "import", "audit"} < set(published)
    assert published[-2:] == ["note", "quote"]
    async with lifespan_of(own), client_of(own) as other:
        for word in published:
            assert (await other.get(CHANGES, params={"entity": word})).status_code == 200, word
        assert_refused(await other.get(CHANGES, params={"entity": "notes"}), "entity", "'note' or 'quote'")


async def test_positions_that_are_gone_are_410_and_those_that_are_kept_go_on(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for _ in range(3):
        await create_item(client)
    first, second, third = await pages(client)
    await connection.execute(f"UPDATE change_positions SET kept_from = {second['position']}")
    await connection.execute(f"DELETE FROM change_events WHERE position < {second['position']}")
    for path, headers in (
        (f"{CHANGES}?after={first['position']}", {}),
        (f"{CHANGES}/events?after={first['position']}", {}),
        (f"{CHANGES}/events", {"Last-Event-ID": first["position"]}),
        (f"{CHANGES}/events?after={second['position']}", {"Last-Event-ID": first["position"]}),
    ):
        gone = await client.get(path, headers=headers)
        assert (gone.status_code, gone.json()["success"]) == (410, False), path
    assert await pages(client) == [second, third]
    assert (await client.get(f"{CHANGES}?after={second['position']}")).json()["data"] == [third]


WEEK_US = 7 * 86_400_000_000


async def test_who_has_missed_nothing_is_not_told_that_it_is_gone(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """After more quiet days than are kept: of everything, and of what a filter leaves out."""
    for _ in range(3):
        await create_item(client)
    await pages(client)
    await connection.execute("UPDATE change_events SET position = position - $1::bigint", 2 * WEEK_US)
    await connection.execute(
        "UPDATE change_positions SET newest = newest - $1::bigint, kept_from = newest - $2::bigint",
        2 * WEEK_US,
        WEEK_US,
    )
    before, last = await connection.fetch("SELECT position FROM change_events ORDER BY position OFFSET 1")
    await connection.execute("DELETE FROM change_events")
    assert (await client.get(CHANGES, params={"after": before["position"]})).status_code == 410
    nexts = []
    for query in ({}, {"entity": "item"}, {"entity": "system"}, {"action": "deleted", "limit": "1"}):
        for after in ({}, {"after": str(last["position"])}):
            quiet = await client.get(CHANGES, params={**query, **after})
            assert (quiet.status_code, quiet.json()["data"]) == (200, []), query
            nexts.append(quiet.json()["next"])
    made = await create_item(client)
    for told in nexts:
        [change] = await pages(client, f"&after={told}")
        assert change["entityId"] == made["id"]


async def test_a_page_goes_on_past_what_its_filter_leaves_out(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for _ in range(3):
        await create_item(client)
    await pages(client)
    await connection.execute("UPDATE change_events SET position = position - $1::bigint", WEEK_US // 2)
    positions = [int(each["position"]) for each in await pages(client)]
    begun = f"{CHANGES}?after={positions[0]}"
    whole, first = (await client.get(begun)).json(), (await client.get(f"{begun}&limit=1")).json()
    assert (first["next"], first["hasMore"]) == (str(positions[1]), True)
    rare = (await client.get(f"{begun}&entity=system")).json()
    assert int(rare["next"]) > positions[2]
    assert int(whole["next"]) >= int(rare["next"]) - 1_000_000
    made = await create_item(client)
    assert [each["entityId"] for each in await pages(client, f"&after={rare['next']}")] == [made["id"]]


@pytest.mark.parametrize("told", ["x", "-1", "9" * 16, "1.5", "\u0661"])
async def test_what_is_no_position_is_refused(client: httpx.AsyncClient, told: str) -> None:
    refused = await client.get(f"{CHANGES}/events", headers={b"Last-Event-ID": told.encode()})
    assert refused.status_code == 400
    assert refused.json()["details"][0]["field"] == "Last-Event-ID"
    assert (await client.get(CHANGES, params={"after": told})).status_code == 400


async def test_places_say_nothing_of_changes_between(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """Events that get their positions at once are not numbered one by one."""
    await connection.execute(
        "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
        "SELECT 'item', n, 'created', 'ada', '{}' FROM generate_series(1, 100) AS n"
    )
    positions = [int(each["position"]) for each in await pages(client)]
    assert positions == sorted(set(positions))
    assert len({later - earlier for earlier, later in itertools.pairwise(positions)}) > 10


async def test_what_is_too_old_is_forgotten_and_numbered_before(
    client: httpx.AsyncClient, connection: Connection, run_job: RunJob
) -> None:
    for _ in range(2):
        await create_item(client)
    [old, _] = await pages(client)
    week_us = 7 * 86_400_000_000
    await connection.execute("UPDATE change_events SET position = position - $1::bigint - 1", week_us)
    await create_item(client)
    assert (await run_job(RETENTION)).result == {"deleted": 2}
    assert not await connection.fetch("SELECT 1 FROM change_events WHERE position IS NULL")
    assert len(await pages(client)) == 1
    gone = await client.get(CHANGES, params={"after": int(old["position"]) - week_us})
    assert gone.status_code == 410
