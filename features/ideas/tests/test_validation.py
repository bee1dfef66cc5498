"""What is refused, with the field's name, and hostile input that must neither crash nor get through."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.ideas.tests.factories import IDEAS, JsonObject, create, new_idea, update
from tests.fixtures.database import Connection
from tests.fixtures.refusals import assert_refused, escaped

WORDS = "must be one of"
TIME = "ISO 8601"

# (field, value, part of its message); they hold for creating and for updating.
REFUSED: list[tuple[str, object, str]] = [
    ("title", "", "must not be empty"),
    ("title", " \u00a0\ufeff\x85", "must not be empty"),
    ("title", "x" * 201, "must have at most 200 characters"),
    ("title", None, "must be a string"),
    ("title", 1, "must be a string"),
    ("title", ["x"], "must be a string"),
    ("title", "a\0b", "NUL"),
    ("title", "a\ud800b", "surrogate"),
    ("description", "\n", "must not be empty"),
    ("description", None, "must be a string"),
    ("description", "\0", "NUL"),
    ("category", "documentacao", WORDS),
    ("category", "Docs", WORDS),
    ("category", None, WORDS),
    ("category", "\ud800", "must be valid Unicode text"),
    ("priority", "urgent", WORDS),
    ("priority", 1, WORDS),
    ("status", "in-progress", WORDS),
    ("status", "NEW", WORDS),
    ("status", None, WORDS),
    ("status", ["new"], WORDS),
    ("tags", None, "must be a list"),
    ("tags", "a,b", "must be a list"),
    ("tags", ["x"] * 1001, "must have at most 1000 entries"),
    ("systemId", 5, "must be a string"),
    ("systemId", {"id": "x"}, "must be a string"),
    ("systemId", "x" * 129, "must have at most 128 characters"),
    ("systemId", "a\0", "NUL"),
    ("assignedTo", "", "must not be empty"),
    ("assignedTo", "x" * 201, "must have at most 200 characters"),
    ("assignedTo", 1, "must be a string"),
    ("estimatedHours", 0.99, "must be at least 1"),
    ("estimatedHours", 1000.01, "must be at most 1000"),
    ("estimatedHours", -1, "must be at least 1"),
    ("estimatedHours", "8", "must be a number"),
    ("estimatedHours", True, "must be a number"),
    ("estimatedHours", float("nan"), "must be a finite number"),
    ("estimatedHours", float("inf"), "must be a"),
    ("estimatedHours", 10**400, "must be"),
    ("actualHours", -0.01, "must be at least 0"),
    ("actualHours", 10000.01, "must be at most 10000"),
    ("actualHours", [], "must be a number"),
    ("dueDate", "tomorrow", TIME),
    ("dueDate", "", TIME),
    ("dueDate", "2025-13-01", TIME),
    ("dueDate", "2025-02-30T00:00:00Z", TIME),
    ("dueDate", 1761259524, TIME),
    ("dueDate", True, TIME),
    ("dueDate", "0001-01-01T00:00:00+14:00", "between the years 1 and 9999"),
]


def name_of(value: object) -> str:
    return ascii(value)[:40]


@pytest.mark.parametrize(("field", "value", "message"), REFUSED, ids=name_of)
async def test_a_wrong_field_is_refused(
    client: httpx.AsyncClient, connection: Connection, field: str, value: object, message: str
) -> None:
    assert_refused(await client.post(IDEAS, **escaped(new_idea(**{field: value}))), field, message)
    assert await connection.fetchval("SELECT count(*) FROM ideas") == 0
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    assert_refused(await client.put(url, **escaped({"title": "x", field: value})), field, message)
    assert (await client.get(url)).json()["data"] == idea


@pytest.mark.parametrize("value", ["", "x" * 201, 5, "a\0"])
async def test_a_wrong_creator_is_refused(client: httpx.AsyncClient, value: object) -> None:
    response = await client.post(IDEAS, **escaped(new_idea(createdBy=value)))
    assert [detail["field"] for detail in response.json()["details"]] == ["createdBy"]


@pytest.mark.parametrize("field", ["title", "description", "category", "priority"])
async def test_a_missing_field_is_named(client: httpx.AsyncClient, field: str) -> None:
    body = new_idea()
    del body[field]
    response = await client.post(IDEAS, json=body)
    assert_refused(response, field, "is required")
    assert "value" not in response.json()["details"][0]


async def test_every_wrong_field_is_named_at_once(client: httpx.AsyncClient) -> None:
    body = {"title": "", "category": "x", "tags": ["a", 1], "estimatedHours": 0, "dueDate": "x"}
    response = await client.post(IDEAS, json=body)
    fields = [detail["field"] for detail in response.json()["details"]]
    assert fields == [
        *("title", "description", "category", "priority", "tags.1", "estimatedHours", "dueDate")
    ]


@pytest.mark.parametrize(
    ("given_date", "stored"),
    [
        ("2025-10-23T22:45:24.940Z", "2025-10-23T22:45:24.940Z"),
        ("2025-10-23", "2025-10-23T00:00:00.000Z"),
        ("2025-10-23T22:45", "2025-10-23T22:45:00.000Z"),
        ("2025-10-23T22:45:24-03:00", "2025-10-24T01:45:24.000Z"),
        ("2025-10-23T22:45:24+02", "2025-10-23T20:45:24.000Z"),
        ("20251023T224524Z", "2025-10-23T22:45:24.000Z"),
        ("2025-10-23t22:45:24.9409z", "2025-10-23T22:45:24.940Z"),
        ("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
async def test_a_due_date_is_any_iso_timestamp(
    client: httpx.AsyncClient, given_date: str, stored: str
) -> None:
    idea = await create(client, dueDate=given_date)
    assert idea["dueDate"] == stored
    assert (await update(client, idea["id"], dueDate=given_date))["dueDate"] == stored
    assert (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"]["dueDate"] == stored
    assert (await client.get(IDEAS, params={"order_by": "due_date"})).json()["count"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"title": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=lambda value: name_of(value) if isinstance(value, bytes) else str(value),
)
async def test_a_body_that_is_no_idea(
    client: httpx.AsyncClient, method: str, content: bytes, status: int
) -> None:
    idea = await create(client)
    url = IDEAS if method == "POST" else f"{IDEAS}/{idea['id']}"
    headers = {"content-type": "application/json"}
    response = await client.request(method, url, content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["success"] is False
    assert (await client.get(IDEAS)).json()["data"] == [idea]


async def test_another_media_type_is_415(client: httpx.AsyncClient) -> None:
    response = await client.post(
        IDEAS, content=json.dumps(new_idea()).encode(), headers={"content-type": "text/plain"}
    )
    assert response.status_code == 415


async def test_a_description_as_long_as_a_body_may_be(client: httpx.AsyncClient) -> None:
    words = " ".join(f"{number:x}" for number in range(170_000))[:1_048_000]
    idea = await create(client, description=words)
    assert (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"]["description"] == words
    assert (await client.get(IDEAS, params={"search": "1f2"})).json()["count"] == 1


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=storable, person=storable, tags=st.lists(storable, max_size=4), search=storable)
async def test_any_text_is_stored_or_refused_and_any_search_is_answered(
    client: httpx.AsyncClient, title: str, person: str, tags: list[str], search: str
) -> None:
    body = new_idea(title=title, assignedTo=person, tags=tags)
    response = await client.post(IDEAS, json=body)
    assert response.status_code in (201, 400)
    if response.status_code == 201:
        idea: JsonObject = response.json()["data"]
        assert idea["tags"] == tags
        assert (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"] == idea
        found = await client.get(IDEAS, params={"assigned_to": idea["assignedTo"]})
        assert idea in found.json()["data"]
    assert (await client.get(IDEAS, params={"search": search, "limit": 1})).status_code in (200, 400)
