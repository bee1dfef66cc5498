"""Every parameter and every text of every body, one at a time, so that each reaches the code behind it."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.attacks.shapes import HEADERS, TEXTS, check
from tests.fixtures.document import document

pytestmark = pytest.mark.slow

DOCUMENT = document()
NEVER_ENDS = "/api/v1/changes/events"
"""Answers any filter with a stream, which has tests of its own."""

OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if path != NEVER_ENDS
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]

VALID = {"q": "word"}
"""For required parameters, while another one is attacked."""

BODIES: dict[str, dict[str, Any]] = {
    "/api/items": {
        "title": "T",
        "description": "D",
        "category": "dashboard",
        "priority": "low",
        "tags": ["a"],
    },
    "/api/v1/systems": {
        "name": "S",
        "description": "D",
        "status": "online",
        "url": "https://a.example",
        "owner": "o",
    },
    "/api/v1/ideas": {
        "title": "T",
        "description": "D",
        "category": "docs",
        "priority": "low",
        "assignedTo": "a",
    },
    "/api/v1/keys": {"name": "k", "scope": "read"},
    "/api/v1/webhooks": {"url": "https://a.example", "entity": "item", "description": "d", "active": False},
}


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
async def test_parameters(
    client: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    parameters = [each for each in operation.get("parameters", []) if each["in"] in ("path", "query")]
    for attacked in parameters:
        for text in TEXTS.values():
            target = path
            query = []
            for each in parameters:
                value = text if each is attacked else VALID.get(each["name"], "1")
                if each["in"] == "path":
                    target = target.replace("{" + each["name"] + "}", escaped(value) or "%20")
                elif each is attacked or each.get("required"):
                    query.append(f"{each['name']}={escaped(value)}")
            check(await client.request(method, f"{target}?{'&'.join(query)}"), text)


@pytest.mark.parametrize("header", HEADERS)
async def test_headers(client: httpx.AsyncClient, header: str) -> None:
    for text in (
        *TEXTS.values(),
        "bytes=0-,0-,0-",
        "bytes=-99999999999999999999",
        ",,,,",
        '"' * 500,
        "\xff\xfe",
    ):
        value = text.encode("utf-8", "surrogatepass").replace(b"\r\n", b" ").replace(b"\x00", b"")
        for method, path in (
            ("GET", "/api/items"),
            ("POST", "/api/items"),
            ("GET", "/api/v1/files/x/download"),
        ):
            body = BODIES["/api/items"] if method == "POST" else None
            check(await client.request(method, path, headers=[(header.encode(), value)], json=body), text)


WRITES = [
    (method, path)
    for method, path, _ in OPERATIONS
    if path.partition("/{")[0] in BODIES and method in ("POST", "PUT")
]


@pytest.mark.parametrize(("method", "path"), WRITES, ids=str)
async def test_texts_of_bodies(client: httpx.AsyncClient, method: str, path: str) -> None:
    collection = path.partition("/{")[0]
    if "{" in path:
        made = await client.post(collection, json=BODIES[collection])
        path = f"{collection}/{made.json()['data']['id']}"
    for field in BODIES[collection]:
        for text in (*TEXTS.values(), "\ud800", "\udfff\ud800"):
            for value in (text, [text], {text: text}, 10**30, -1e308, True, None):
                check(
                    await client.request(
                        method,
                        path,
                        content=json.dumps({**BODIES[collection], field: value}),
                        headers={"content-type": "application/json"},
                    ),
                    text,
                )
                if value != text and text != "nul":
                    break
