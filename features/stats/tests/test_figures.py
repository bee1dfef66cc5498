"""Counts, health and series: the published shapes, with every value, zeros included."""

import re

import httpx
import pytest

from features.stats.schemas import HealthCounts
from features.stats.service import overall_of
from features.stats.tests.factories import add_file, add_idea, add_system, change, day, get, seed
from tests.fixtures.database import Connection

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NO_SYSTEMS = {"online": 0, "offline": 0, "error": 0, "planned": 0}
NO_IDEAS = {"new": 0, "triage": 0, "in_progress": 0, "review": 0, "completed": 0, "rejected": 0}


async def test_an_empty_registry_has_every_figure(client: httpx.AsyncClient) -> None:
    dashboard = await get(client, "dashboard")
    assert ISO.fullmatch(dashboard.pop("lastUpdated"))
    assert dashboard == {
        "timeframe": "30d",
        "systems": {"total": 0, "online": 0, "offline": 0, "degraded": 0, "planned": 0, "created": 0},
        "ideas": {"total": 0, "active": 0, "completed": 0, "rejected": 0, "created": 0},
        "files": {"total": 0, "totalSize": 0, "created": 0},
    }
    assert await get(client, "systems") == {
        "total": 0,
        "byStatus": NO_SYSTEMS,
        "byType": {"api": 0, "webapp": 0, "docs": 0, "tool": 0},
    }
    assert await get(client, "ideas") == {
        "total": 0,
        "byStatus": NO_IDEAS,
        "byPriority": {"low": 0, "medium": 0, "high": 0, "critical": 0},
        "byCategory": {"api": 0, "docs": 0, "dashboard": 0, "automation": 0, "infrastructure": 0},
    }
    assert await get(client, "files") == {"total": 0, "totalSize": 0, "byMimeType": {}}
    health = await get(client, "health")
    assert ISO.fullmatch(health.pop("lastChecked"))
    assert health == {
        "overall": "healthy",
        "systems": {"total": 0, "healthy": 0, "degraded": 0, "critical": 0, "planned": 0},
    }


async def test_systems_are_counted_by_status_and_type(client: httpx.AsyncClient) -> None:
    for status, kind in (
        ("online", "api"),
        ("online", "tool"),
        ("degraded", "api"),
        ("offline", None),
        ("planned", "docs"),
    ):
        await add_system(client, status, type=kind)
    stats = await get(client, "systems")
    assert stats["total"] == 5
    assert stats["byStatus"] == {"online": 2, "offline": 1, "error": 1, "planned": 1}
    assert stats["byType"] == {"api": 2, "webapp": 0, "docs": 1, "tool": 1}
    assert (await get(client, "dashboard"))["systems"] == {
        "total": 5,
        "online": 2,
        "offline": 1,
        "degraded": 1,
        "planned": 1,
        "created": 5,
    }
    health = await get(client, "health")
    assert health["overall"] == "critical"
    assert health["systems"] == {"total": 5, "healthy": 2, "degraded": 1, "critical": 1, "planned": 1}


async def test_ideas_are_counted_by_status_priority_and_category(client: httpx.AsyncClient) -> None:
    for status, priority, category in (
        ("new", "low", "api"),
        ("in_progress", "critical", "docs"),
        ("completed", "critical", "api"),
        ("rejected", "medium", "infrastructure"),
        ("completed", "low", "api"),
    ):
        await add_idea(client, status, priority=priority, category=category)
    stats = await get(client, "ideas")
    assert stats["total"] == 5
    assert stats["byStatus"] == NO_IDEAS | {"new": 1, "in_progress": 1, "completed": 2, "rejected": 1}
    assert stats["byPriority"] == {"low": 2, "medium": 1, "high": 0, "critical": 2}
    assert stats["byCategory"] == {"api": 3, "docs": 1, "dashboard": 0, "automation": 0, "infrastructure": 1}
    assert (await get(client, "dashboard"))["ideas"] == {
        "total": 5,
        "active": 2,
        "completed": 2,
        "rejected": 1,
        "created": 5,
    }


async def test_files_are_counted_by_type_with_their_bytes(client: httpx.AsyncClient) -> None:
    await add_file(client, "a.txt", b"12345")
    await add_file(client, "b.txt", b"1234567")
    await add_file(client, "c.json", b"{}")
    assert await get(client, "files") == {
        "total": 3,
        "totalSize": 14,
        "byMimeType": {"text/plain": 2, "application/json": 1},
    }
    assert (await get(client, "dashboard"))["files"] == {"total": 3, "totalSize": 14, "created": 3}


@pytest.mark.parametrize(
    ("healthy", "degraded", "critical", "overall"),
    [
        (0, 0, 0, "healthy"),
        (3, 0, 0, "healthy"),
        (99, 1, 0, "degraded"),
        (0, 5, 0, "degraded"),
        (4, 0, 1, "degraded"),
        (3, 0, 1, "critical"),
        (0, 3, 1, "critical"),
        (0, 0, 1, "critical"),
    ],
)
def test_a_quarter_offline_is_critical_and_any_trouble_degrades(
    healthy: int, degraded: int, critical: int, overall: str
) -> None:
    """Planned systems, however many, have no part in it."""
    total = healthy + degraded + critical + 50
    counts = HealthCounts(total=total, healthy=healthy, degraded=degraded, critical=critical, planned=50)
    assert overall_of(counts) == overall


async def test_the_health_was_last_checked_when_any_system_was(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for name in ("a", "b"):
        await add_system(client, name=name)
    await connection.execute(
        "UPDATE systems SET last_checked = CASE name WHEN 'a' THEN timestamptz '2025-06-01 10:00:00.5Z' "
        "ELSE timestamptz '2025-06-01 09:00:00Z' END"
    )
    assert (await get(client, "health"))["lastChecked"] == "2025-06-01T10:00:00.500Z"


@pytest.mark.parametrize(("timeframe", "days"), [("7d", 7), ("30d", 30), ("90d", 90), ("1y", 365)])
async def test_the_series_has_every_day_of_the_timeframe_in_order(
    client: httpx.AsyncClient, connection: Connection, timeframe: str, days: int
) -> None:
    """The first and the last moment of a day belong to it, by UTC."""
    await seed(connection, 1, days, "23:59:59.999")
    await seed(connection, 2, days - 1, "00:00:00")
    await seed(connection, 4, days - 2, "23:59:59.999")
    await seed(connection, 8, 0, "00:00:00")
    data = await get(client, "analytics", timeframe=timeframe)
    assert set(data) == {"timeframe", "systems", "ideas", "files"}
    assert data["timeframe"] == timeframe
    expected = [{"date": day(ago), "count": 0} for ago in range(days - 1, -1, -1)]
    for entry, count in ((0, 2), (1, 4), (-1, 8)):
        expected[entry]["count"] = count
    assert data["systems"] == expected
    for name, factor in (("ideas", 2), ("files", 3)):
        assert data[name] == [{**entry, "count": factor * int(str(entry["count"]))} for entry in expected]
    dashboard = await get(client, "dashboard", timeframe=timeframe)
    assert dashboard["timeframe"] == timeframe
    assert [dashboard[name]["created"] for name in ("systems", "ideas", "files")] == [14, 28, 42]
    assert dashboard["systems"]["total"] == 15


async def test_thirty_days_are_the_default(client: httpx.AsyncClient) -> None:
    assert (await get(client, "analytics"))["timeframe"] == "30d"
    short = (await client.get("/api/v1/stats")).json()
    assert {key: value for key, value in short.items() if key != "lastUpdated"} == {
        key: value for key, value in (await get(client, "dashboard")).items() if key != "lastUpdated"
    }


@pytest.mark.parametrize("path", ["dashboard", "analytics"])
@pytest.mark.parametrize("timeframe", ["", "1d", "30D", "365d"])
async def test_an_unknown_timeframe_is_refused(client: httpx.AsyncClient, path: str, timeframe: str) -> None:
    response = await client.get(f"/api/v1/stats/{path}", params={"timeframe": timeframe})
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == ["timeframe"]


async def test_a_status_move_moves_the_count(client: httpx.AsyncClient) -> None:
    idea = await add_idea(client, "review")
    await change(client, f"/api/v1/ideas/{idea['id']}", status="completed")
    assert (await get(client, "ideas"))["byStatus"] == NO_IDEAS | {"completed": 1}
