"""What routes ask for, as names that read like prose: `async def create(db: Db, actor: Actor, body: ...)`."""

from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from core.cache import Cache as CacheService
from core.database.client import Database
from core.errors import FieldError, Invalid
from core.http.conditional import Precondition, entity_tags
from core.http.context import context_of
from core.jobs import Jobs as JobsService
from core.platform import Platform
from core.settings import Settings

ANONYMOUS: Final = "anonymous"
_MAX_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class ActorName:
    """Who the audit trail names. A label that the client chose, not a proof of identity.

    `client` is the address that the request came from.
    """

    name: str
    request_id: str
    client: str | None


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


async def _actor(
    request: Request,
    x_user_id: Annotated[
        # Described, not checked, by the schema: a name in UTF-8 has more bytes than letters.
        Annotated[str, WithJsonSchema({"type": "string", "maxLength": _MAX_NAME})] | None,
        Header(description=f"Who is named in the audit trail; `{ANONYMOUS}` when absent"),
    ] = None,
) -> ActorName:
    name = _readable(x_user_id or "").strip()
    if len(name) > _MAX_NAME or not name.isprintable():
        message = f"must have at most {_MAX_NAME} printable characters"
        raise Invalid("Validation failed", details=[FieldError("x-user-id", message, name)])
    context = context_of(request.scope)
    return ActorName(name or ANONYMOUS, context.request_id, context.client)


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
IfMatch = Annotated[Precondition, Depends(_precondition)]
