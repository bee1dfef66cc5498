"""Shapes of responses: `{success, data}`, `{success, count, total, data}` and the one error shape, as models;
and those of them that are made in finished JSON: one row, a page of them, the outcome of a change.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.cache import Entry
from core.errors import HandoverError
from core.http.answers.conditional import body_etag
from core.http.answers.projection import Projected
from core.http.request.fields import LEFT_OUT_IF_NONE, always_there

T = TypeVar("T")

_ALWAYS: Final = always_there("success")


class Envelope(BaseModel, Generic[T]):
    """One thing. `message` is left out when there is none."""

    model_config = ConfigDict(json_schema_extra=_ALWAYS)

    success: Literal[True] = True
    message: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    data: T


class Done(BaseModel, Generic[T]):
    """The outcome of a change, in a sentence, and the thing that was changed."""

    model_config = ConfigDict(json_schema_extra=_ALWAYS)

    success: Literal[True] = True
    message: str
    data: T


class ListEnvelope(BaseModel, Generic[T]):
    """Many things: `count` is the number in `data`, `total` the number that match.

    `nextCursor` is present when there is a next page.
    """

    model_config = ConfigDict(populate_by_name=True, json_schema_extra=_ALWAYS)

    success: Literal[True] = True
    count: int
    total: int | None = Field(default=None, **LEFT_OUT_IF_NONE)
    next_cursor: str | None = Field(default=None, alias="nextCursor", **LEFT_OUT_IF_NONE)
    data: list[T]


def list_ends(count: int, total: int | None, next_cursor: str | None = None) -> tuple[bytes, bytes]:
    """The text of a `ListEnvelope` before and behind its rows."""
    counted = b"" if total is None else b',"total":%d' % total
    cursor = b"" if next_cursor is None else b',"nextCursor":"%b"' % next_cursor.encode()
    return b'{"success":true,"count":%d%b%b,"data":[' % (count, counted, cursor), b"]}"


def listed(data: Sequence[T], *, total: int | None = None, next_cursor: str | None = None) -> ListEnvelope[T]:
    return ListEnvelope[T](count=len(data), total=total, next_cursor=next_cursor, data=list(data))


class ErrorDetail(BaseModel):
    """One refused field: `field` is a path such as `tags.0`; `value` is shortened."""

    field: str
    message: str
    value: Any = Field(default=None, description="What was sent; absent when the field is missing")


class ErrorBody(BaseModel):
    """Every error has this shape. `message` and `error` are equal; `details` names refused fields."""

    model_config = ConfigDict(json_schema_extra=_ALWAYS)

    success: Literal[False] = False
    message: str = Field(examples=["Validation failed"])
    error: str = Field(examples=["Validation failed"])
    errors: list[str] = Field(examples=[["title: must not be empty"]])
    details: list[ErrorDetail] | None = Field(default=None, **LEFT_OUT_IF_NONE)


class Problem(BaseModel):
    """The facts of an error as RFC 9457 has them; `errors` and `details` are as in `ErrorBody`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URN that ends with the error's permanent code")
    title: str
    status: int
    detail: str
    message: str = Field(description="Equal to `detail`, so that `message` can be read of either shape")
    instance: str = Field(description="Path of the request")
    errors: list[str]
    details: list[ErrorDetail] | None = Field(default=None, **LEFT_OUT_IF_NONE)
    request_id: str | None = Field(default=None, alias="requestId", **LEFT_OUT_IF_NONE)


def error_responses(*errors: type[HandoverError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route's errors: `responses=error_responses(NotFound)`.

    `core.http.openapi` adds their schemas, and the errors that any route can answer (400, 429, 500,
    503).
    """
    return {error.status: {"description": HTTPStatus(error.status).phrase} for error in errors}


_HASHED_AT_ONCE: Final = 1_048_576
"""Upper bound of the bytes hashed on the event loop: about a millisecond."""


def row_etag(version: int, data: bytes) -> str:
    """Strong ETag of one row: its version and a digest of its JSON (`data`, as the API shows it, in UTF-8).
    The version alone would repeat when a row is deleted and imported again. PostgreSQL can compute it too.
    """
    return f'"{version}-{sha256(data).hexdigest()[:16]}"'


@dataclass(frozen=True, slots=True)
class Row:
    """Row in finished JSON: `data` is as the API shows it, in UTF-8; `version` counts the row's changes.
    `tag` is the ETag where it is another than that of the two.
    """

    version: int
    data: bytes
    tag: str | None = None

    @property
    def etag(self) -> str:
        return self.tag or row_etag(self.version, self.data)

    def entry(self) -> Entry:
        return Entry(_envelope(self.data), self.etag)


def _envelope(data: bytes, message: str | None = None) -> bytes:
    """JSON of an `Envelope` or `Done` around finished JSON."""
    said = b"" if message is None else b'"message":%b,' % orjson.dumps(message)
    return b'{"success":true,%b"data":%b}' % (said, data)


def row_of(model: type[BaseModel], row: object, version: int) -> Row:
    """Row of the typed client as the response model shows it."""
    return Row(
        version, model.model_validate(row, from_attributes=True).model_dump_json(by_alias=True).encode()
    )


def list_body(rows: Projected, total: int | None = None) -> bytes:
    """The answer of the model `ListEnvelope`."""
    return rows.json.join(list_ends(rows.count, total, rows.next_cursor))


async def text_entry(body: bytes) -> Entry:
    """Cache entry of a complete response that shows more than one row."""
    if len(body) <= _HASHED_AT_ONCE:
        return Entry(body, body_etag(body))
    return Entry(body, await asyncio.to_thread(body_etag, body))


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Response of the model `Done`: the outcome of a change, and the row that it was about."""
    body = _envelope(row.data, message)
    return Response(body, status, {"ETag": row.etag, **(headers or {})}, "application/json")
