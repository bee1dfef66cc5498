"""What is refused, with the field's name, and hostile input that must neither crash nor get through."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.items.tests.factories import JsonObject, create, new_item
from tests.fixtures.database import Connection
from tests.fixtures.refusals import assert_refused, escaped

# What JavaScript's trim() takes away.
_CODES = (
    *range(9, 14),
    32,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
    0xFEFF,
)
WHITE_SPACE = "".join(map(chr, _CODES))

# (field, value, part of its message); they hold for creating and for updating.
REFUSED: list[tuple[str, object, str]] = [
    ("title", "", "must not be empty"),
    ("title", WHITE_SPACE, "must not be empty"),
    ("title", "\x85", "must not be empty"),
    ("title", " " * 900_000, "must not be empty"),
    ("title", "x" * 201, "must have at most 200 characters"),
    ("title", "🚀" * 201, "must have at most 200 characters"),
    ("title", None, "must be a string"),
    ("title", 1, "must be a string"),
    ("title", True, "must be a string"),
    ("title", ["x"], "must be a string"),
    ("title", {"a": "b"}, "must be a string"),
    ("title", "a\0b", "NUL"),
    ("title", "a\ud800b", "surrogate"),
    ("description", "", "must not be empty"),
    ("description", " \n ", "must not be empty"),
    ("description", None, "must be a string"),
    ("description", "\0", "NUL"),
    ("description", "\udfff", "surrogate"),
    ("category", "unknown", "must be one of"),
    ("category", "Dashboard", "must be one of"),
    ("category", "", "must be one of"),
    ("category", None, "must be one of"),
    ("category", 0, "must be one of"),
    ("category", "\ud800", "must be valid Unicode text"),
    ("priority", "urgent", "must be one of"),
    ("priority", None, "must be one of"),
    ("priority", [], "must be one of"),
    ("tags", None, "must be a list"),
    ("tags", "a,b", "must be a list"),
    ("tags", {"0": "a"}, "must be a list"),
    ("tags", ["x"] * 1001, "must have at most 1000 entries"),
    ("tags", [["x"]] * 100_000, "must have at most 1000 entries"),
]
REFUSED_TAGS: list[tuple[object, str]] = [
    (None, "must be a string"),
    (1, "must be a string"),
    (["a"], "must be a string"),
    ("x" * 201, "must have at most 200 characters"),
    ("a\0", "NUL"),
    ("\udc00", "surrogate"),
]


def name_of(value: object) -> str:
    return ascii(value)[:40]


@pytest.mark.parametrize(("field", "value", "message"), REFUSED, ids=name_of)
async def test_a_wrong_field_is_refused(
    client: httpx.AsyncClient, connection: Connection, field: str, value: object, message: str
) -> None:
    assert_refused(await client.post("/api/items", **escaped(new_item(**{field: value}))), field, message)
    assert await connection.fetchval("SELECT count(*) FROM items") == 0
    item = await create(client)
    assert_refused(await client.put(f"/api/items/{item['id']}", **escaped({field: value})), field, message)
    assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == item


@pytest.mark.parametrize(("tag", "message"), REFUSED_TAGS, ids=name_of)
async def test_a_wrong_tag_is_named_by_its_place(
    client: httpx.AsyncClient, tag: object, message: str
) -> None:
    response = await client.post("/api/items", **escaped(new_item(tags=["a", tag])))
    assert_refused(response, "tags.1", message)


@pytest.mark.parametrize("status", ["done", "NEW", "", None, 1, ["new"]])
async def test_an_unknown_status_is_refused(client: httpx.AsyncClient, status: object) -> None:
    item = await create(client)
    response = await client.put(f"/api/items/{item['id']}", json={"status": status})
    assert_refused(response, "status", "must be one of")


@pytest.mark.parametrize("field", ["title", "description", "category", "priority"])
async def test_a_missing_field_is_named(client: httpx.AsyncClient, field: str) -> None:
    body = new_item()
    del body[field]
    response = await client.post("/api/items", json=body)
    assert_refused(response, field, "is required")
    assert "value" not in response.json()["details"][0]


async def test_every_wrong_field_is_named_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/items", json={"title": "", "category": "x", "tags": [1]})
    fields = [detail["field"] for detail in response.json()["details"]]
    assert fields == ["title", "description", "category", "priority", "tags.0"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"title": "x"', 400),
        (b"nonsense", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"1", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
        (b" " * 10_000_000, 413),
        (b'{"title": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=lambda value: name_of(value) if isinstance(value, bytes) else str(value),
)
async def test_a_body_that_is_no_item(
    client: httpx.AsyncClient, method: str, content: bytes, status: int
) -> None:
    item = await create(client)
    url = "/api/items" if method == "POST" else f"/api/items/{item['id']}"
    headers = {"content-type": "application/json"}
    response = await client.request(method, url, content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["success"] is False
    assert (await client.get("/api/items")).json()["data"] == [item]


async def test_another_media_type_is_415(client: httpx.AsyncClient) -> None:
    body = json.dumps(new_item()).encode()
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        response = await client.post("/api/items", content=body, headers={"content-type": media_type})
        assert response.status_code == 415


async def test_a_description_as_long_as_a_body_may_be(client: httpx.AsyncClient) -> None:
    words = " ".join(f"{number:x}" for number in range(170_000))[:1_048_000]
    item = await create(client, description=words)
    assert item["description"] == words
    assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == item
    found = (await client.get("/api/items", params={"q": "1f"})).json()
    assert found["count"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE items; --",
        '" OR 1=1 --',
        "100% _ \\ %s {0} $1 ${jndi:x}",
        "<script>alert(1)</script>",
        "\u202eright to left שלום مرحبا",
        "👩‍👩‍👧‍👦 é e\u0301 ﷺ \U0001d518",
        "a\tb\r\nc\x01\x7f\u0085d",
        "\\u0000 \\ud800",
        "null",
        "\u2028\u2029 between",
    ],
)
async def test_odd_texts_are_kept_to_the_character(client: httpx.AsyncClient, text: str) -> None:
    text = text.strip()
    item = await create(client, title=text, description=text, tags=[text, f" {text} "])
    read = (await client.get(f"/api/items/{item['id']}")).json()["data"]
    assert (read["title"], read["description"], read["tags"]) == (text, text, [text, f" {text} "])
    listed = (await client.get("/api/items", params={"tag": text})).json()
    assert [each["id"] for each in listed["data"]] == [item["id"]]


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=storable, description=storable, tags=st.lists(storable, max_size=4))
@example(title="\ufeffx", description="x\x1f", tags=["\ufeff", ""])
@example(title="\x1fx\x1f", description="\x85y", tags=[])
async def test_any_text_is_either_stored_as_trimmed_or_refused(
    client: httpx.AsyncClient, title: str, description: str, tags: list[str]
) -> None:
    response = await client.post("/api/items", json=new_item(title=title, description=description, tags=tags))
    kept = [text.strip(WHITE_SPACE) for text in (title, description)]
    if response.status_code == 400:
        assert not all(text.strip() for text in kept)
        return
    item: JsonObject = response.json()["data"]
    assert [item["title"], item["description"], item["tags"]] == [*kept, tags]
    assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == item
