"""Conditional requests: an ETag on every cached answer, 304 for a client that has it already, 412 for one
that would change what it has not seen.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from core.cache import Entry
from core.errors import PreconditionFailed
from core.http.context import context_of, header_of
from core.http.envelope import Envelope

if TYPE_CHECKING:
    from core.cache import Cache, Policy

# A copy may be kept, but is asked about before each use: a write that was answered is seen by the next read.
REVALIDATE: Final = "no-cache"


def body_etag(body: bytes) -> str:
    """Weak: equal bytes, for answers that no single version number describes."""
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


def row_etag(version: int, data: bytes) -> str:
    """Strong: the version of one row and a digest of its JSON (`data`, as the API shows it, in UTF-8). The
    version alone would repeat when a row is deleted and imported again. PostgreSQL can compute it too.
    """
    return f'"{version}-{sha256(data).hexdigest()[:16]}"'


def model_etag(version: int, data: BaseModel) -> str:
    """The `row_etag` of a row that Python holds."""
    return row_etag(version, data.model_dump_json(by_alias=True).encode())


def row_entry(version: int, data: bytes) -> Entry:
    """The finished answer that shows one row, from the row's finished JSON."""
    return Entry(b'{"success":true,"data":%b}' % data, row_etag(version, data))


def json_entry(answer: BaseModel, *, version: int | None = None) -> Entry:
    """The finished bytes of an answer. With the `version` of the row in its envelope the tag is strong."""
    if version is None:
        body = answer.model_dump_json(by_alias=True).encode()
        return Entry(body, body_etag(body))
    if not isinstance(answer, Envelope) or not isinstance(answer.data, BaseModel):
        raise TypeError("a version belongs to the one row of an Envelope")
    return row_entry(version, answer.data.model_dump_json(by_alias=True).encode())


@dataclass(frozen=True, slots=True)
class Precondition:
    """What `If-Match` said. `tags` is None without the header; `"*"` stands for itself. Weak marks are
    removed, for compression marks our tags as weak and their meaning stays the same.
    """

    tags: tuple[str, ...] | None = None

    def check(self, etag: str, what: str) -> None:
        """Raises PreconditionFailed when the client has seen another state of `what` (`Item with id 7`)."""
        if self.tags is None or "*" in self.tags or etag.removeprefix("W/") in self.tags:
            return
        raise PreconditionFailed(f"{what} was changed meanwhile: read it again")

    def check_version(self, version: int, what: str) -> None:
        """The same for a row whose answer shows more than its changes, such as a count of downloads."""
        of_version = [tag for tag in self.tags or () if tag == "*" or tag.startswith(f'"{version}-')]
        self.check(of_version[0] if of_version else "", what)


def entity_tags(header: str) -> tuple[str, ...]:
    """The tags of an `If-Match` or `If-None-Match`, without weak marks (RFC 9110, 13.1).

    Our tags hold no commas, so splitting a foreign one in two cannot make it equal to ours.
    """
    return tuple(entry.strip().removeprefix("W/") for entry in header.split(",") if entry.strip())


def matches(header: bytes | str | None, etag: str) -> bool:
    """Whether an `If-None-Match` (or `If-Match`) names this tag, compared weakly: a list, or `*`."""
    if header is None:
        return False
    tags = entity_tags(header.decode("latin-1") if isinstance(header, bytes) else header)
    return tags == ("*",) or etag.removeprefix("W/") in tags


@dataclass(frozen=True, slots=True)
class Resolved:
    """What routing and validation made of a URL: enough to answer it again without them."""

    policy: "Policy"
    key: str
    load: Callable[[], Awaitable[Entry]]
    media_type: str


async def cached_response(
    request: Request,
    cache: "Cache",
    policy: "Policy",
    key: str,
    load: Callable[[], Awaitable[Entry]],
    *,
    media_type: str = "application/json",
) -> Response:
    """The finished bytes from the cache or from `load`, as 200 or 304; `X-Cache` says which it was.

    With a `by_url` policy later requests for the same URL are answered by `core.http.front`, which calls
    `load` again: it must hold on to nothing of this request.
    """
    entry, outcome = await cache.get_or_load(policy, key, load)
    context_of(request.scope).resolved = Resolved(policy, key, load, media_type)
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
