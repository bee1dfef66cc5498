"""Documents of the API's operations and of the channels of its events, from its own specifications."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from core.jobs import JsonObject
from features.search.schemas import BODY_LENGTH, TITLE_LENGTH, Document

_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})


def operations(openapi: JsonObject) -> list[Document]:
    """Documents of the operations, linked to their place on the page of the API's documentation."""
    paths: Any = openapi.get("paths") or {}
    return [
        _operation(method, path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in _METHODS
    ]


def channels(asyncapi: JsonObject) -> list[Document]:
    described: Any = asyncapi.get("channels") or {}
    messages: Any = (asyncapi.get("components") or {}).get("messages") or {}  # type: ignore[union-attr]
    return [
        Document(
            id=f"asyncapi:{name}",
            source="asyncapi",
            type="endpoint",
            title=str(channel.get("title") or name)[:TITLE_LENGTH],
            body="\n".join(_channel(channel, messages))[:BODY_LENGTH],
            link="/spec/asyncapi.yaml",
        )
        for name, channel in described.items()
    ]


def _operation(method: str, path: str, operation: Any) -> Document:
    place = f"{method.upper()} {path}"
    name = operation.get("operationId") or f"{method}:{path}"
    tag = next(iter(operation.get("tags", ())), "default")
    return Document(
        id=f"openapi:{name}",
        source="openapi",
        type="endpoint",
        title=f"{operation.get('summary') or name} ({place})"[:TITLE_LENGTH],
        body="\n".join(_lines(place, operation))[:BODY_LENGTH],
        link=f"/docs#/{quote(tag, safe='')}/{quote(name, safe='')}",
    )


def _lines(place: str, operation: Any) -> Iterator[str]:
    yield place
    yield from operation.get("tags", ())
    if "description" in operation:
        yield operation["description"]
    for parameter in operation.get("parameters", ()):
        if "name" in parameter:
            yield f"{parameter['name']}: {parameter.get('description', '')}"
    for status, response in operation.get("responses", {}).items():
        if "description" in response:
            yield f"{status}: {response['description']}"


def _channel(channel: Any, messages: Any) -> Iterator[str]:
    yield str(channel.get("address", ""))
    yield str(channel.get("description", ""))
    for message in messages.values():
        yield f"{message.get('title', '')}: {message.get('summary', '')}"
