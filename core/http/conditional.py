"""Conditional reads: an ETag on every cached answer, and 304 for a client that has it already."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from core.cache import Entry
from core.http.context import header_of

if TYPE_CHECKING:
    from core.cache import Cache, Policy

# A copy may be kept, but is asked about before each use: a write that was answered is seen by the next read.
REVALIDATE: Final = "no-cache"


def body_etag(body: bytes) -> str:
    """Weak: equal bytes, for answers that no single version number describes."""
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


def json_entry(answer: BaseModel, *, version: int | None = None) -> Entry:
    """The finished bytes of an answer. With the version of the one row that it shows its tag is strong, and
    holds a digest too: the version alone would repeat when a row is deleted and imported again.
    """
    body = answer.model_dump_json(by_alias=True).encode()
    if version is None:
        return Entry(body, body_etag(body))
    return Entry(body, f'"{version}-{blake2b(body, digest_size=8).hexdigest()}"')


def matches(header: bytes | str | None, etag: str) -> bool:
    """Whether an `If-None-Match` (or `If-Match`) names this tag: a list, or `*` (RFC 9110, 13.1).

    Compared weakly, for If-Match too: compression marks our version tags as weak, their meaning is the same.
    """
    if header is None:
        return False
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    if text.strip() == "*":
        return True
    wanted = etag.removeprefix("W/")
    # Our tags hold no commas, so splitting a foreign one in two cannot make it equal to ours.
    return any(entry.strip().removeprefix("W/") == wanted for entry in text.split(","))


async def cached_response(
    request: Request,
    cache: "Cache",
    policy: "Policy",
    key: str,
    load: Callable[[], Awaitable[Entry]],
    *,
    media_type: str = "application/json",
) -> Response:
    """The finished bytes from the cache or from `load`, as 200 or 304; `X-Cache` says which it was."""
    entry, outcome = await cache.get_or_load(policy, key, load)
    headers = {"ETag": entry.etag, "Cache-Control": REVALIDATE, "X-Cache": outcome.value}
    if entry.status == 200 and matches(header_of(request.scope, b"if-none-match"), entry.etag):
        return Response(status_code=304, headers=headers)
    return Response(entry.body, entry.status, headers, media_type)


def fixed_response(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Bytes that stay the same as long as the app runs, as 200 or 304."""
    validated = {**(headers or {}), "ETag": body_etag(body), "Cache-Control": REVALIDATE}
    if matches(header_of(request.scope, b"if-none-match"), validated["ETag"]):
        return Response(status_code=304, headers=validated)
    return Response(body, 200, validated, media_type)
