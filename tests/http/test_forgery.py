"""Without keys no web page changes anything that is not the service's own, whatever its form or its name."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.tests.factories import ended

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp

ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
OPEN = {"allow_open": True}
KEYS = {"auth": "keys"}
NAMED = {"allowed_hosts": ("docs.example", "10.0.0.7")}
DASHBOARD = {"cors_origins": ("http://old.example:3000",)}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "app.localhost",
        "127.0.0.1:8000",
        "127.8.9.1",
        "[::1]:8000",
        "localhost.",
    ],
)
async def test_names_of_this_machine_are_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/api/items", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            {
                "evil.example:8000": 421,
                "127.0.0.1.evil.example": 421,
                "localhost.evil.example": 421,
                "10.0.0.7:8000": 421,
                "[2001:db8::1]": 421,
                "0.0.0.0": 421,
            },
        ),
        (NAMED, {"DOCS.example:8000": 200, "10.0.0.7": 200, "evil.example": 421}),
        (OPEN, {"evil.example": 200}),
        ({**OPEN, **NAMED}, {"evil.example": 421, "docs.example": 200}),
        (KEYS, {"evil.example": 401}),
        ({**KEYS, **NAMED}, {"evil.example": 421, "docs.example": 401}),
    ],
)
async def test_another_name_is_refused_where_nothing_else_guards(
    running_app: "RunningApp", changes: dict[str, object], expected: dict[str, int]
) -> None:
    async with running_app(**changes) as client:
        for host, status in expected.items():
            for _ in range(2):  # the second time it could come from the cache
                answer = await client.get("/api/items", headers={"host": host})
                assert answer.status_code == status, host
                if status == 421:
                    assert "ALLOWED_HOSTS" in answer.json()["message"]
            for probe in ("/health", "/health/live", "/health/ready", "/metrics"):
                answers = 401 if changes.get("auth") == "keys" and probe == "/metrics" else 200
                assert (await client.get(probe, headers={"host": host})).status_code == answers, host


SITES = [
    # Sec-Fetch-Site, Origin, whether it may
    (None, None, True),
    ("same-origin", "http://localhost", True),
    ("none", None, True),
    (None, "http://localhost", True),
    (None, "https://localhost", True),
    ("cross-site", "http://evil.example", False),
    ("cross-site", None, False),
    ("same-site", "http://localhost:3000", False),
    ("cross-site", "null", False),
    (None, "null", False),
    (None, "http://evil.example", False),
    (None, "http://localhost:3000", False),
    (None, "http://localhost.evil.example", False),
    (None, "", False),
]


@pytest.mark.parametrize("changes", [{}, OPEN, DASHBOARD])
async def test_only_pages_of_its_own_change_anything(
    running_app: "RunningApp", changes: dict[str, object]
) -> None:
    form: dict[str, Any] = {
        "file": ("library.json", b'{"items": []}', "application/json"),
        "source": (None, "lowdb"),
    }
    async with running_app(**changes) as client:
        for site, origin, may in SITES:
            sent = {"sec-fetch-site": site, "origin": origin}
            headers = {name: value for name, value in sent.items() if value is not None}
            item_id = (await client.post("/api/items", json=ITEM)).json()["data"]["id"]
            before = (await client.get("/api/items")).json()["count"]
            answers = [
                await client.post("/api/v1/imports", files=form, headers=headers),
                await client.post("/api/items", json=ITEM, headers=headers),
                await client.put(f"/api/items/{item_id}", json={}, headers=headers),
                await client.delete(f"/api/items/{item_id}", headers=headers),
            ]
            expected = [202, 201, 200, 200] if may else [403] * 4
            assert [answer.status_code for answer in answers] == expected, sent
            if may:
                # Only one may run at a time.
                await ended(client, answers[0].json()["data"]["id"])
            else:
                assert "CORS_ORIGINS" in answers[0].json()["message"]
                assert (await client.get("/api/items")).json()["count"] == before
            assert (await client.get("/api/items", headers=headers)).status_code == 200


async def test_dashboards_that_are_named_change_things(running_app: "RunningApp") -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "http://old.example:3000"}
    async with running_app(**DASHBOARD) as client:
        made = await client.post("/api/items", json=ITEM, headers=headers)
        assert made.status_code == 201
        assert made.headers["access-control-allow-origin"] == "http://old.example:3000"
    async with running_app(cors_origins=("*",)) as client:
        assert (await client.post("/api/items", json=ITEM, headers=headers)).status_code == 201


async def test_with_keys_the_key_decides(running_app: "RunningApp", db: "Database") -> None:
    """A browser does not add it by itself."""
    from features.keys.tests.factories import bearer, make_key

    foreign = {"sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    key = bearer(await make_key(db, "write"))
    async with running_app(**KEYS) as client:
        assert (await client.post("/api/items", json=ITEM, headers=foreign)).status_code == 401
        assert (await client.post("/api/items", json=ITEM, headers={**foreign, **key})).status_code == 201
