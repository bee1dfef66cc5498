"""Conditional requests (RFC 9110, 13): an ETag on every cached response, 304 for a client that has it
already, 412 for a read or write whose condition names another state.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from core.cache import Cache, Entry, Load, Policy
from core.errors import HandoverError, PreconditionFailed
from core.http.request.context import RequestContext, context_of

# A copy may be kept, but is asked about before each use: a write that was answered is seen by the next read.
REVALIDATE: Final = "no-cache"

_PROXY_SUFFIX: Final = re.compile(r'--?(?:gzip|br|zstd|deflate)"$')
"""Suffix that a compressing proxy adds to a tag, before the closing quote."""
_QUOTED: Final = re.compile('"[^"]*"')


def body_etag(body: bytes) -> str:
    """Weak ETag, a digest of the body, for responses that no single version number describes."""
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


def json_entry(answer: BaseModel) -> Entry:
    """Cache entry of a response that no single version describes."""
    body = answer.model_dump_json(by_alias=True).encode()
    return Entry(body, body_etag(body))


@dataclass(frozen=True, slots=True)
class Precondition:
    """Condition of a request on entity tags (RFC 9110, 13.1): `tags` by `If-Match`, `others` by
    `If-None-Match`, as of `entity_tags`; `"*"` stands for itself.
    """

    tags: tuple[str, ...] | None = None
    others: tuple[str, ...] | None = None

    @property
    def is_unconditional(self) -> bool:
        return self.others is None and (self.tags is None or "*" in self.tags)

    def matches(self, etag: str) -> bool:
        names = {"*", etag.removeprefix("W/")}
        return (self.tags is None or not names.isdisjoint(self.tags)) and names.isdisjoint(self.others or ())


def fault_of_tags(header: str) -> str | None:
    """The reason why this is no condition on tags (RFC 9110, 8.8.3), None when it is one. A tag without its
    quotes would match nothing, however often its row is read again.
    """
    between = _QUOTED.sub("", header).split(",")
    if all(part.strip() in ("", "W/", "*") for part in between):
        return None
    return "must be an ETag as it was sent, in its quotes, or *"


def entity_tags(header: bytes) -> tuple[str, ...]:
    """Tags of an `If-Match` or `If-None-Match` without the marks of compression, `W/` and the suffix of a
    proxy, for our tags are marked so and mean the same.

    Our tags hold no commas, so splitting a foreign one in two cannot make it equal to ours.
    """
    tags = [entry.strip().removeprefix("W/") for entry in header.decode("latin-1").split(",")]
    return tuple(_PROXY_SUFFIX.sub('"', tag) for tag in tags if tag)


@dataclass(frozen=True, slots=True)
class RowState:
    """ETag of a row, and the columns with the values that it has while it is unchanged: its version, and the
    import where one may bring a deleted row back with its first version.
    """

    etag: str
    columns: Mapping[str, object]


Stored = TypeVar("Stored")
WriteRow = Callable[[Any], Awaitable[Stored | None]]
"""One typed update or delete `where` the conditions hold; None when it found no row."""


async def conditional_write(
    precondition: Precondition,
    row_id: str,
    find: Callable[[], Awaitable[RowState | None]],
    write: WriteRow[Stored],
    not_found: Callable[[str], HandoverError],
    changed: Callable[[str], HandoverError],
) -> Stored:
    """Write a row if it matches the precondition: the write itself repeats the condition, or a change after
    the check would be lost. Raises `not_found` or `changed`, or PreconditionFailed for `If-None-Match`.

    A rule on the row's own state is a condition that `write` adds, and an error that `find` raises.
    """
    columns: Mapping[str, object] = {}
    if not precondition.is_unconditional:
        if (found := await find()) is None:
            raise not_found(row_id)
        if not Precondition(precondition.tags).matches(found.etag):
            raise changed(row_id)
        if not precondition.matches(found.etag):
            raise PreconditionFailed("It is in a state that If-None-Match names; nothing was changed")
        columns = found.columns
    if (written := await write({"id": row_id, **columns})) is not None:
        return written
    raise not_found(row_id) if await find() is None else changed(row_id)


def is_unchanged(context: RequestContext, etag: str) -> bool:
    """True if a read is answered with 304 (RFC 9110, 13.2.2). Raises PreconditionFailed."""
    named, known = context.headers.get(b"if-match"), context.headers.get(b"if-none-match")
    if named is not None and not Precondition(entity_tags(named)).matches(etag):
        raise PreconditionFailed("If-Match names another state than the present one: read it without")
    return known is not None and not Precondition(others=entity_tags(known)).matches(etag)


@dataclass(frozen=True, slots=True)
class Resolved:
    """URL after routing and validation: enough to answer it again without them."""

    policy: Policy
    key: str
    load: Load


async def cached_response(request: Request, cache: Cache, policy: Policy, key: str, load: Load) -> Response:
    """Response of JSON from the cache or from `load`, as 200 or 304; `X-Cache` says which it was. Raises
    PreconditionFailed.

    With a `by_url` policy later requests for the same URL are answered by `core.http.answers.response_cache`,
    which calls `load` again: it must hold on to nothing of this request.
    """
    entry, outcome = await cache.get_or_load(policy, key, load)
    context_of(request.scope).resolved = Resolved(policy, key, load)
    headers = {"ETag": entry.etag, "Cache-Control": REVALIDATE, "X-Cache": outcome.value}
    return _response(request, entry.body, "application/json", headers, {})


def fixed_response(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Response of bytes that never change while the app runs, as 200 or 304. Raises PreconditionFailed."""
    validators = {"ETag": body_etag(body), "Cache-Control": REVALIDATE}
    return _response(request, body, media_type, validators, headers or {})


def _response(
    request: Request, body: bytes, media_type: str, headers: dict[str, str], described: Mapping[str, str]
) -> Response:
    """Response 200, or 304, with the `Vary` that compression gives the 200 (RFC 9110, 15.4.5)."""
    if not is_unchanged(context_of(request.scope), headers["ETag"]):
        return Response(body, 200, {**headers, **described}, media_type)
    if len(body) >= request.app.state.settings.gzip_min_bytes:
        headers["Vary"] = "Accept-Encoding"
    return Response(status_code=304, headers=headers)
