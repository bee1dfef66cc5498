"""What the OpenAPI document promises to the makers of typed clients."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from core.app import create_app
from core.settings import Settings
from features.items.tests.factories import new_item
from tests.fixtures.document import document

ITEMS: Final = "/api/items"
DOCUMENT: Final = document()
OPERATIONS: Final = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
READS: Final = [
    pytest.param(path, operation, id=path)
    for method, path, operation in OPERATIONS
    if method == "GET" and "{" not in path and path not in ("/api/v1/keys", "/api/v1/changes/events")
]


def nodes(node: object, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from nodes(value, f"{place}/{key}")
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from nodes(each, f"{place}/{number}")


NOT_FOUND: Final = DOCUMENT["components"]["responses"]["NotFound"]
KNOWN: Final = {name.lower() for name in DOCUMENT["components"]["headers"]}
LIMITS: Final = {name for name in KNOWN if name.startswith("ratelimit-")}
"""Sent where there is a limit."""


def declared(operation: dict[str, Any], status: int) -> set[str]:
    return {name.lower() for name in operation["responses"][str(status)].get("headers", ())} - LIMITS


def sent(answer: httpx.Response) -> set[str]:
    return (KNOWN & set(answer.headers)) - LIMITS


def test_it_is_the_same_with_and_without_keys() -> None:
    with_keys = create_app(Settings.model_construct(log_format="json", auth="keys")).openapi()
    assert with_keys == DOCUMENT
    assert DOCUMENT["security"] == [{"apiKey": []}]
    assert DOCUMENT["paths"]["/health"]["get"]["security"] == []
    for method, path, operation in OPERATIONS:
        if "security" not in operation:
            assert {"401", "403"} <= operation["responses"].keys(), (method, path)


def test_every_enumeration_has_a_name() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    unnamed = [
        place
        for place, node in nodes(DOCUMENT)
        if len(node.get("enum", ())) > 1 and node is not schemas.get(place.rpartition("/")[2])
    ]
    assert not unnamed, f"features/*/feature.py: give `enumerations` names for {unnamed}"
    words = [tuple(schema["enum"]) for schema in schemas.values() if "enum" in schema]
    assert len(words) == len(set(words))


def test_every_parameter_says_what_it_is_for_and_that_it_is_never_null() -> None:
    for method, path, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            place = f"{parameter['name']} of {method} {path}"
            assert parameter.get("description"), f"{place} has no description"
            kinds = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            assert not any(kind.get("type") == "null" for kind in kinds), f"{place} cannot be null in a URL"


def test_every_body_has_a_schema_and_those_of_requests_an_example() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for method, path, operation in OPERATIONS:
        for media in operation.get("requestBody", {}).get("content", {}).values():
            model = schemas.get(media["schema"].get("$ref", "").rpartition("/")[2], {})
            assert "example" in {**media, **model}, (
                f'{method} {path}: give the model of its body json_schema_extra={{"example": ...}}'
            )
        for status, response in operation["responses"].items():
            for media_type, media in response.get("content", {}).items():
                assert media.get("schema"), (method, path, status, media_type)
    for name, response in DOCUMENT["components"]["responses"].items():
        for media_type, media in response["content"].items():
            assert media["example"], (name, media_type)
            assert schemas[media["schema"]["$ref"].rpartition("/")[2]]["required"], (name, media_type)


@pytest.mark.parametrize(("path", "operation"), READS)
async def test_reads_send_the_headers_that_they_declare(
    client: httpx.AsyncClient, path: str, operation: dict[str, Any]
) -> None:
    parameters = {"q": "word"} if "q" in str(operation.get("parameters")) else {}
    response = await client.get(path, params=parameters)
    assert response.status_code == 200
    assert sent(response) == declared(operation, 200)
    if "etag" in response.headers:
        again = await client.get(path, params=parameters, headers={"if-none-match": response.headers["etag"]})
        assert again.status_code == 304
        assert declared(operation, 304) <= sent(again)
        assert "etag" in declared(operation, 304)


async def test_writes_send_the_headers_that_they_declare(client: httpx.AsyncClient) -> None:
    collection, one = DOCUMENT["paths"][ITEMS], DOCUMENT["paths"][f"{ITEMS}/{{id}}"]
    made, again = [
        await client.post(ITEMS, json=new_item(), headers={"Idempotency-Key": "the-same"}) for _ in range(2)
    ]
    url = made.headers["location"]
    replayed = {"idempotency-replayed"}
    answers: tuple[tuple[httpx.Response, dict[str, Any], set[str]], ...] = (
        (made, collection["post"], replayed),
        (again, collection["post"], set()),
        (await client.put(url, json={"status": "review"}), one["put"], set()),
        (await client.delete(url), one["delete"], set()),
        (await client.post("/api/v1/exports"), DOCUMENT["paths"]["/api/v1/exports"]["post"], replayed),
        (await client.get(f"{ITEMS}/none"), {"responses": {"404": NOT_FOUND}}, set()),
    )
    for answer, operation, absent in answers:
        assert sent(answer) == declared(operation, answer.status_code) - absent


async def test_downloads_take_and_send_the_headers_that_they_declare(client: httpx.AsyncClient) -> None:
    form = {"file": ("notes.txt", b"some notes", "text/plain")}
    made = await client.post("/api/v1/files/upload", files=form)
    operation = DOCUMENT["paths"]["/api/v1/files/{fileId}/download"]["get"]
    url = f"/api/v1/files/{made.json()['data']['id']}/download"
    whole = await client.get(url)
    tag = {"if-range": whole.headers["etag"]}
    part = await client.get(url, headers={"range": "bytes=0-3", **tag})
    assert (whole.content, part.content) == (b"some notes", b"some")
    for answer, status in ((whole, 200), (part, 206)):
        assert (answer.status_code, sent(answer)) == (status, declared(operation, status))
    for _, path, each in OPERATIONS:
        taken = {parameter["name"] for parameter in each.get("parameters", ())}
        assert ({"range", "if-range"} <= taken) == ("206" in each["responses"]), path


def test_errors_that_ask_to_wait_say_how_long() -> None:
    responses = DOCUMENT["components"]["responses"]
    waiting = {name for name, response in responses.items() if "Retry-After" in response.get("headers", ())}
    assert waiting == {"RateLimited", "Unavailable"}
