"""What happened lately, from the audit trail."""

import json
from collections.abc import Collection

import httpx
import pytest

from core.database.client import Database
from core.feature import ActivityKind, Feature
from core.http.request.access import Principal
from core.settings import Settings
from features.stats.tests.factories import (
    FILES,
    IDEAS,
    SYSTEMS,
    JsonObject,
    add_file,
    add_idea,
    add_system,
    change,
    get,
)
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for


async def activities(client: httpx.AsyncClient, **parameters: int) -> list[JsonObject]:
    rows: list[JsonObject] = (await get(client, "activity", **parameters))["activities"]
    return rows


async def told(client: httpx.AsyncClient) -> list[str]:
    return [row["description"] for row in await activities(client)]


async def test_each_published_kind_is_told_newest_first(client: httpx.AsyncClient) -> None:
    system = await add_system(client, name="Orders API")
    idea = await add_idea(client, title="Guide")
    file = await add_file(client, "Résumé.txt", user="joão")
    await change(client, f"{SYSTEMS}/{system['id']}", owner="desk", status="offline")
    await change(client, f"{IDEAS}/{idea['id']}", title="A guide")
    body = await get(client, "activity")
    assert body["timeframe"] == "7d"
    assert [
        (row["type"], row["entity"], row["entityId"], row["description"], row["user"])
        for row in body["activities"]
    ] == [
        ("idea_updated", "idea", idea["id"], 'Idea "A guide" was updated: title', "maria"),
        (
            "system_updated",
            "system",
            system["id"],
            'System "Orders API" was updated: owner, status',
            "maria",
        ),
        ("file_uploaded", "file", file["id"], 'File "Résumé.txt" was uploaded', "joão"),
        ("idea_created", "idea", idea["id"], 'Idea "Guide" was created', "maria"),
        ("system_created", "system", system["id"], 'System "Orders API" was created', "maria"),
    ]
    times = [row["timestamp"] for row in body["activities"]]
    assert times == sorted(times, reverse=True)
    assert len({row["id"] for row in body["activities"]}) == 5
    audit = (await client.get("/api/v1/audit")).json()["data"]
    assert [row["id"] for row in body["activities"]] == [entry["id"] for entry in audit]


async def test_other_changes_are_not_activities(client: httpx.AsyncClient, connection: Connection) -> None:
    file = await add_file(client)
    await client.patch(f"{FILES}/{file['id']}", json={"description": "Draft"})
    await client.delete(f"{FILES}/{file['id']}")
    item = {"title": "Item", "description": "x", "category": "dashboard", "priority": "low"}
    assert (await client.post("/api/items", json=item)).status_code == 201
    await connection.execute(
        "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
        "VALUES ('system', 'x', 'checked', 'ada', '{}'), ('idea', 'y', 'deleted', 'ada', '{}')"
    )
    assert [row["type"] for row in await activities(client)] == ["file_uploaded"]


async def test_a_slice_says_how_its_entries_are_told_and_to_whom(
    settings: Settings, client: httpx.AsyncClient, connection: Connection
) -> None:
    async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
        return {each: f"Note {each}" for each in ids}

    async def visible(db: Database, ids: Collection[str], holder: Principal | None) -> frozenset[str]:
        return frozenset(ids) - {"hidden"}

    async def note(row_id: str, action: str, **values: str) -> None:
        changes = {name: {"before": None, "after": value} for name, value in values.items()}
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            "VALUES ('note', $1, $2, 'ada', $3)",
            row_id,
            action,
            json.dumps(changes),
        )

    await note("a", "created")
    await note("hidden", "created")
    await note("b", "created", name="of systems", text="Hello")
    await note("b", "updated", text="Bye")
    assert await told(client) == []
    notes = ActivityKind("note", "text", ("notes",), {"created": "written"}, visible)
    own = new_app(
        settings,
        Feature("notes", activities=(notes,), names_of={"note": names_of}, cache_tags=("notes",)),
    )
    async with lifespan_of(own), client_of(own) as other:
        assert [(row["type"], row["description"]) for row in await activities(other)] == [
            ("note_written", 'Note "Hello" was written'),
            ("note_written", 'Note "Note a" was written'),
        ]
        published = own.openapi()["components"]["schemas"]["ActivityType"]["enum"]
        assert published[-1] == "note_written"

        async def cached() -> bool:
            return (await other.get("/api/v1/stats/activity")).headers["x-cache"] == "HIT"

        await wait_for(cached)  # of an app that has just started
        await note("c", "created")
        assert len(await activities(other)) == 2
        await own.state.platform.cache.invalidate("notes")
        assert (await told(other))[0] == 'Note "Note c" was written'


async def test_what_was_deleted_since_is_told_without_a_name_that_is_not_known(
    client: httpx.AsyncClient,
) -> None:
    system = await add_system(client, name="Gone")
    await change(client, f"{SYSTEMS}/{system['id']}", owner="desk")
    await change(client, f"{SYSTEMS}/{system['id']}", owner="desk")
    await client.delete(f"{SYSTEMS}/{system['id']}")
    assert await told(client) == [
        "A former system was updated",
        "A former system was updated: owner",
        'System "Gone" was created',
    ]


async def test_a_system_goes_by_its_present_name_where_the_entry_has_none(client: httpx.AsyncClient) -> None:
    system = await add_system(client, name="Before")
    await change(client, f"{SYSTEMS}/{system['id']}", owner="desk")
    assert (await told(client))[0] == 'System "Before" was updated: owner'
    await change(client, f"{SYSTEMS}/{system['id']}", name="After")
    assert await told(client) == [
        'System "After" was updated: name',
        'System "After" was updated: owner',
        'System "Before" was created',
    ]


async def trace(connection: Connection, count: int, hours: int, action: str = "updated") -> None:
    await connection.execute(
        "INSERT INTO audit_entries (entity, entity_id, action, actor, changes, at) "
        'SELECT \'idea\', n, $3, \'ada\', \'{"tags": {"before": [], "after": ["x"]}}\', '
        "now() - $2::int * interval '1 hour' FROM generate_series(1, $1::int) AS n",
        count,
        hours,
        action,
    )


@pytest.mark.parametrize(("days", "count"), [(1, 1), (2, 3), (7, 3), (90, 7)])
async def test_only_the_last_days_are_told(
    client: httpx.AsyncClient, connection: Connection, days: int, count: int
) -> None:
    await trace(connection, 1, 23)
    await trace(connection, 2, 47)
    await trace(connection, 4, 90 * 24 - 1)
    await trace(connection, 8, 90 * 24 + 1)
    body = await get(client, "activity", days=days)
    assert body["timeframe"] == f"{days}d"
    assert len(body["activities"]) == count


async def test_the_list_is_bounded_and_holds_the_newest_of_all_kinds(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await trace(connection, 300, 2)
    await trace(connection, 3, 3, "created")
    await trace(connection, 2, 1, "created")
    rows = await activities(client)
    assert len(rows) == 100
    assert [row["type"] for row in rows[:3]] == ["idea_created", "idea_created", "idea_updated"]
    assert len(await activities(client, limit=302)) == 302
    assert [row["type"] for row in (await activities(client, limit=305))[-3:]] == ["idea_created"] * 3


@pytest.mark.parametrize("count", [1, 200])
async def test_the_number_of_queries_does_not_depend_on_the_activities(
    client: httpx.AsyncClient, connection: Connection, count: int
) -> None:
    system = await add_system(client)
    await change(client, f"{SYSTEMS}/{system['id']}", owner="desk")
    await trace(connection, count, 1)
    response = await client.get("/api/v1/stats/activity?limit=500")
    assert len(response.json()["activities"]) == count + 2
    assert '"3 queries"' in response.headers["server-timing"]


@pytest.mark.parametrize("query", ["days=0", "days=91", "days=x", "limit=0", "limit=501"])
async def test_a_bad_parameter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/api/v1/stats/activity?{query}")
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [query.partition("=")[0]]
