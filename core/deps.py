"""Dependencies of routes, as `Annotated` aliases: `async def create(db: Db, actor: Actor, ...)`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from core.cache import Cache as CacheService
from core.database.client import Author, AuthoredDatabase, Database
from core.errors import FieldError, InvalidFields
from core.feature import Feature
from core.http.answers.conditional import Precondition, entity_tags, fault_of_tags
from core.http.request.access import Principal
from core.http.request.context import RequestContext
from core.http.routing import HeaderRead
from core.jobs import Jobs as JobsService
from core.platform import Platform
from core.settings import Settings

ANONYMOUS: Final = "anonymous"
_MAX_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class ActorName(Author):
    """Actor in the audit trail: with AUTH=off a label that the client chose, not a proof of identity.

    With AUTH=keys `principal` holds the key, and `name` is its name, with the label behind it if there is
    one: `dashboard (ada)`.
    """

    principal: Principal | None = None

    @property
    def owner(self) -> str:
        """Owner of what the actor creates: with a key its name, which nobody can choose."""
        return self.name if self.principal is None else self.principal.name

    def signed(self, label: str | None) -> str:
        """Name for a creation in somebody's name. With a key it is the key's, with the label behind it, as in
        the audit trail.
        """
        if label is None:
            return self.name
        return label if self.principal is None else f"{self.principal.name} ({label})"


def platform_of(request: Request) -> Platform:
    return cast(Platform, request.app.state.platform)


# Coroutines, because the framework runs plain functions in a thread.
async def _db(request: Request) -> Database:
    return platform_of(request).db


async def _cache(request: Request) -> CacheService:
    return platform_of(request).cache


async def _jobs(request: Request) -> JobsService:
    return platform_of(request).jobs


async def _settings(request: Request) -> Settings:
    return platform_of(request).settings


async def _features(request: Request) -> tuple[Feature, ...]:
    return cast(tuple[Feature, ...], request.app.state.features)


# The schemas describe and do not check: a name in UTF-8 has more bytes than letters.
_USER: Final = HeaderRead(
    "x-user-id",
    f"Who is named in the audit trail; `{ANONYMOUS}` when absent",
    {"type": "string", "maxLength": _MAX_NAME},
)
_IF_MATCH: Final = HeaderRead(
    "if-match",
    "Only if this is still the `ETag` of what is changed; absent: the last write wins",
    {"type": "string"},
)
_IF_NONE_MATCH: Final = HeaderRead(
    "if-none-match", "Only if none of these is the `ETag` of what is changed; `*` is any", {"type": "string"}
)


def _context(request: Request) -> RequestContext:
    context: RequestContext = request.scope["state"]["context"]
    return context


async def _actor(request: Request) -> ActorName:
    context = _context(request)
    label = _readable(context.headers.get(b"x-user-id", b"")).strip()
    principal = context.principal
    longest = _MAX_NAME if principal is None else _MAX_NAME - len(f"{principal.name} ()")
    if len(label) > longest or not label.isprintable():
        message = f"must have at most {longest} printable characters"
        raise InvalidFields([FieldError("x-user-id", message, label)])
    name = label or ANONYMOUS
    if principal is not None:
        name = f"{principal.name} ({label})" if label else principal.name
    return ActorName(name, context.request_id, context.client, principal)


def _readable(header: bytes) -> str:
    """Text of a header: Latin-1 by the standard, but clients that send other letters send UTF-8."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


async def _precondition(request: Request) -> Precondition:
    """Precondition of a write (RFC 9110, 13.1.1 and 13.1.2)."""
    headers = _context(request).headers
    return Precondition(_tags(headers, "If-Match"), _tags(headers, "If-None-Match"))


def _tags(headers: Mapping[bytes, bytes], name: str) -> tuple[str, ...] | None:
    """Tags that the header lists, None without it. Raises InvalidFields for what are none."""
    header = headers.get(name.lower().encode())
    if header is None:
        return None
    text = header.decode("latin-1")
    if (fault := fault_of_tags(text)) is not None:
        raise InvalidFields([FieldError(name, fault, text)])
    return entity_tags(header)


async def _holder(request: Request) -> Principal | None:
    return _context(request).principal


Db = Annotated[Database, Depends(_db)]
Cache = Annotated[CacheService, Depends(_cache)]
Jobs = Annotated[JobsService, Depends(_jobs)]
AppSettings = Annotated[Settings, Depends(_settings)]
Features = Annotated[tuple[Feature, ...], Depends(_features)]
"""All that the app has mounted."""
Actor = Annotated[ActorName, Depends(_actor), _USER]
Holder = Annotated[Principal | None, Depends(_holder)]
"""Holder of the request's key; None with AUTH=off."""
IfMatch = Annotated[Precondition, Depends(_precondition), _IF_MATCH, _IF_NONE_MATCH]
"""Precondition of a change, by `If-Match` and `If-None-Match`."""


async def _authored(db: Db, actor: Actor) -> AuthoredDatabase:
    return db.acting_as(actor)


AuthoredDb = Annotated[AuthoredDatabase, Depends(_authored)]
"""Client for changes by the actor: the audit entries that PostgreSQL writes of them name him."""
