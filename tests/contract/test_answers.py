"""Each operation is called on real data and answers as promised, its errors too: service, items, systems,
ideas.
"""

from typing import Any

import httpx
import pytest

from features.health.schemas import Check
from tests.contract.conftest import StartJourney
from tests.contract.promises.service import COLLECTIONS
from tests.fixtures.application import RunningApp
from tests.fixtures.sites import Site

TOO_LARGE = {"title": "x" * 1_100_000}
NO_JSON: dict[str, Any] = {"content": b"<xml/>", "headers": {"content-type": "text/xml"}}
USER = {"x-user-id": "ada"}


async def test_the_service_itself(
    start_journey: StartJourney, running_app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = start_journey("service")
    endpoints = (await walk.call("GET", "/", 200))["endpoints"]
    assert (endpoints["health"], endpoints["documentation"]) == ("/health", "/docs")
    assert (endpoints["openapi"], endpoints["asyncapi"]) == ("/spec/openapi.yaml", "/spec/asyncapi.yaml")
    assert {name: endpoints["api"].get(name) for name in COLLECTIONS} == {
        name: f"/api/v1/{name}" for name in COLLECTIONS
    }
    health = await walk.call("GET", "/health", 200)
    assert (health["status"], health["database"]["status"]) == ("healthy", "healthy")
    figures = await walk.call("GET", "/metrics", 200)
    assert b"tradingsystem_http_requests_total{" in figures
    assert b"tradingsystem_http_request_duration_seconds" in figures

    async def down(*_: object) -> Check:
        return Check(status="down")

    async def crash(*_: object) -> Check:
        raise RuntimeError("not even an answer")

    monkeypatch.setattr("features.health.service.check_database", down)
    broken = await walk.call("GET", "/health", 503)
    assert (broken["status"], broken["database"]["connections"]) == ("degraded", 0)
    monkeypatch.setattr("features.health.service.check_database", crash)
    await walk.call("GET", "/health", 500)
    monkeypatch.undo()
    async with running_app(rate_limit_max=1) as impatient:
        limited = start_journey("service", impatient)
        await limited.call("GET", "/", 200)
        await limited.call("GET", "/", 429)
        await limited.call("GET", "/health", 200)
        walk.seen |= limited.seen
    walk.finish()


async def test_items(start_journey: StartJourney) -> None:
    walk = start_journey("items")
    root = "/api/items"
    body = {"title": "Dark mode", "description": "A theme", "category": "dashboard", "priority": "high"}
    item = (await walk.call("POST", root, 201, json=body))["data"]
    one = f"{root}/{item['id']}"
    await walk.call("POST", root, 400, json={})
    await walk.call("POST", root, 413, json=TOO_LARGE)
    await walk.call("POST", root, 415, **NO_JSON)
    assert (await walk.call("GET", root, 200))["data"] == [item]
    await walk.call("GET", root, 400, params={"limit": 0})
    await walk.call("GET", one, 200)
    updated = await walk.call("PUT", one, 200, json={"status": "review", "tags": ["ui"]})
    assert updated["data"]["updatedAt"] is not None
    await walk.call("PUT", one, 400, json={"status": "done"})
    await walk.call("PUT", one, 413, json=TOO_LARGE)
    await walk.call("PUT", one, 415, **NO_JSON)
    await walk.call("GET", root, 200)
    await walk.call("DELETE", one, 200)
    for method in ("GET", "PUT", "DELETE"):
        gone = await walk.call(method, one, 404, **({"json": {}} if method == "PUT" else {}))
        assert gone["message"] == f"Item with id {item['id']} not found"
    walk.finish()


def new_system(**changes: object) -> dict[str, object]:
    return {"name": "Launcher", "description": "Starts things", "status": "planned", **changes}


async def test_systems(start_journey: StartJourney, running_app: RunningApp, site: Site) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        walk = start_journey("systems", client)
        root = "/api/v1/systems"
        full = new_system(
            url=site.url(), type="api", port=80, category="desk", tags=["a"], metadata={"k": [1]}
        )
        system = (await walk.call("POST", root, 201, json=full, headers=USER))["data"]
        one = f"{root}/{system['id']}"
        await walk.call("POST", root, 201, json=new_system(name="Bare"))
        await walk.call("POST", root, 400, json={"name": "No more"})
        await walk.call("POST", root, 409, json=new_system(name="Bare"))
        await walk.call("POST", root, 413, json=TOO_LARGE)
        await walk.call("POST", root, 415, **NO_JSON)
        assert (await walk.call("GET", root, 200))["count"] == 2
        await walk.call("GET", one, 200)
        await walk.call("PUT", one, 200, json={"owner": "desk"}, headers=USER)
        await walk.call("PUT", one, 400, json={"status": "unknown"})
        await walk.call("PUT", one, 409, json={"name": "Bare"})
        await walk.call("PUT", one, 413, json=TOO_LARGE)
        await walk.call("PUT", one, 415, **NO_JSON)
        assert (await walk.call("POST", f"{one}/health", 200))["status"] == "online"
        results = await walk.call("POST", f"{root}/health-check-all", 200)
        assert sorted(result["status"] for result in results) == ["online", "unknown"]
        for status, found in (("online", 1), ("offline", 0), ("error", 0), ("unknown", 1)):
            assert len(await walk.call("GET", f"{root}/status/{status}", 200)) == found, status
        await walk.call("GET", f"{root}/status/busy", 400)
        assert len(await walk.call("GET", f"{root}/type/api", 200)) == 1
        await walk.call("GET", f"{root}/type/toy", 400)
        assert len(await walk.call("GET", f"{root}/search", 200, params={"q": "launch"})) == 1
        await walk.call("GET", f"{root}/search", 400, params={"q": "l"})
        statistics = await walk.call("GET", f"{root}/statistics", 200)
        assert (statistics["total"], statistics["byStatus"]["online"]) == (2, 1)
        await walk.call("DELETE", one, 200, headers=USER)
        for method, path in (("GET", one), ("PUT", one), ("DELETE", one), ("POST", f"{one}/health")):
            await walk.call(method, path, 404, **({"json": {}} if method == "PUT" else {}))
        walk.finish()


async def test_ideas(start_journey: StartJourney, client: httpx.AsyncClient) -> None:
    walk = start_journey("ideas")
    root = "/api/v1/ideas"
    system = (await client.post("/api/v1/systems", json=new_system())).json()["data"]
    bare = {"title": "Map", "description": "Of all", "category": "docs", "priority": "low"}
    await walk.call("POST", root, 201, json=bare)
    full = {
        **bare,
        "tags": ["t"],
        "systemId": system["id"],
        "assignedTo": "bo",
        "estimatedHours": 2.5,
        "actualHours": 0,
        "dueDate": "2026-01-01",
    }
    idea = (await walk.call("POST", root, 201, json=full, headers=USER))["data"]
    assert idea["createdBy"] == "ada"
    assert idea["system"] == {"id": system["id"], "name": "Launcher"}
    one = f"{root}/{idea['id']}"
    unknown = await walk.call("POST", root, 400, json={**bare, "systemId": "nope"})
    assert unknown["message"] == "Referenced system not found"
    await walk.call("POST", root, 413, json=TOO_LARGE)
    await walk.call("POST", root, 415, **NO_JSON)
    assert (await walk.call("GET", root, 200))["count"] == 2
    filters = {"system_id": system["id"], "search": "ma", "limit": "1", "order_direction": "ASC"}
    assert (await walk.call("GET", root, 200, params=filters))["data"][0]["id"] == idea["id"]
    await walk.call("GET", root, 400, params={"search": "m"})
    await walk.call("GET", one, 200)
    done = await walk.call("PUT", one, 200, json={"status": "completed"}, headers=USER)
    assert "completedAt" in done["data"]
    await walk.call("PUT", one, 400, json={"status": "done"})
    await walk.call("PUT", one, 413, json=TOO_LARGE)
    await walk.call("PUT", one, 415, **NO_JSON)
    kanban = await walk.call("GET", f"{root}/kanban", 200)
    assert [len(kanban[status]) for status in ("new", "completed")] == [1, 1]
    await walk.call("DELETE", one, 200, headers=USER)
    for method in ("GET", "PUT", "DELETE"):
        await walk.call(method, one, 404, **({"json": {}} if method == "PUT" else {}))
    walk.finish()
