"""What routes ask for, as names that read like prose: `async def create(db: Db, actor: Actor, body: ...)`."""

from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from core.cache import Cache as CacheService
from core.database.client import Database
from core.errors import FieldError, Invalid
from core.http.access import Principal, principal_of
from core.http.conditional import Precondition, entity_tags
from core.http.context import context_of
from core.jobs import Jobs as JobsService
from core.platform import Platform
from core.settings import Settings

ANONYMOUS: Final = "anonymous"
_MAX_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class ActorName:
    """Who the audit trail names: with AUTH=off a label that the client chose, not a proof of identity.

    With AUTH=keys `principal` holds the key, and `name` is its name, with the label behind it if there is
    one: `dashboard (ada)`. `client` is the address that the request came from.
    """

    name: str
    request_id: str
    client: str | None
    principal: Principal | None = None

    @property
    def owner(self) -> str:
        """Whom what he makes belongs to: nobody can choose it who has to show a key."""
        return self.name if self.principal is None else self.principal.name


@dataclass(frozen=True, slots=True)
class Writing:
    """What nearly every change needs: `Db`, `Cache` and `Actor` at the cost of one of them."""

    db: Database
    cache: CacheService
    actor: ActorName


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


_UserId = Annotated[
    # Described, not checked, by the schema: a name in UTF-8 has more bytes than letters.
    Annotated[str, WithJsonSchema({"type": "string", "maxLength": _MAX_NAME})] | None,
    Header(description=f"Who is named in the audit trail; `{ANONYMOUS}` when absent"),
]


async def _writing(request: Request, x_user_id: _UserId = None) -> Writing:
    platform = platform_of(request)
    return Writing(platform.db, platform.cache, await _actor(request, x_user_id))


async def _actor(request: Request, x_user_id: _UserId = None) -> ActorName:
    label = _readable(x_user_id or "").strip()
    principal = principal_of(request.scope)
    longest = _MAX_NAME if principal is None else _MAX_NAME - len(f"{principal.name} ()")
    if len(label) > longest or not label.isprintable():
        message = f"must have at most {longest} printable characters"
        raise Invalid("Validation failed", details=[FieldError("x-user-id", message, label)])
    name = label or ANONYMOUS
    if principal is not None:
        name = f"{principal.name} ({label})" if label else principal.name
    context = context_of(request.scope)
    return ActorName(name, context.request_id, context.client, principal)


async def _precondition(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            description="Only if this is still the `ETag` of what is changed; absent: the last write wins"
        ),
    ] = None,
) -> Precondition:
    if if_match is None:
        return Precondition()
    # A list may come as several headers; the parameter above holds but one of them.
    return Precondition(entity_tags(",".join(request.headers.getlist("if-match"))))


async def _holder(request: Request) -> Principal | None:
    return principal_of(request.scope)


def _readable(header: str) -> str:
    """Headers arrive as Latin-1; clients that send other letters send UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return header


Db = Annotated[Database, Depends(_db)]
Cache = Annotated[CacheService, Depends(_cache)]
Jobs = Annotated[JobsService, Depends(_jobs)]
AppSettings = Annotated[Settings, Depends(_settings)]
Actor = Annotated[ActorName, Depends(_actor)]
Writer = Annotated[Writing, Depends(_writing)]
Holder = Annotated[Principal | None, Depends(_holder)]
"""Whose key the request showed; None with AUTH=off."""
IfMatch = Annotated[Precondition, Depends(_precondition)]
