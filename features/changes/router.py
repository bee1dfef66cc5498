"""Routes under `/api/v1/changes`: pages of changes, and a stream of them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from core.deps import Db, Features, Holder, platform_of
from core.errors import FieldError, InvalidFields
from core.http.answers.envelope import error_responses
from core.http.answers.event_streams import sent, stream_content
from core.http.request.access import is_still_let_in
from core.http.routing import Router
from features.changes import service
from features.changes.errors import PositionGone, TooManyStreams
from features.changes.schemas import MAX_POSITION, Audience, Change, ChangeFilter, ChangePage, ChangeQuery
from features.changes.service import ChangeStreams

PREFIX: Final = "/api/v1/changes"
LAST_EVENT_ID: Final = "Last-Event-ID"
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `change`, each with a `Change` as JSON; ids alone, up to which all is told; "
        "the last one is `dropped`, with a position to go on after, for a client that is too slow",
        "content": stream_content(Change),
    }
}

router = Router(prefix=PREFIX, tags=["Changes"])


async def _streams(request: Request) -> ChangeStreams:
    return platform_of(request).part(ChangeStreams)


@router.get("", summary="List changes", responses=error_responses(PositionGone))
async def list_changes(
    db: Db, holder: Holder, features: Features, query: Annotated[ChangeQuery, Query()]
) -> ChangePage:
    """The oldest first, from the beginning of what is kept (`CHANGES_RETENTION_DAYS`) or after a position;
    ask again with `next`. All that was committed before the request is told, each change once, those of a row
    in their order.
    """
    service.check_entity(features, query.entity)
    return await service.page_of(db, query, Audience.of(holder, features))


@dataclass(frozen=True, slots=True)
class _Following:
    streams: ChangeStreams
    after: int | None
    audience: Audience


async def _following(
    db: Db,
    holder: Holder,
    features: Features,
    streams: Annotated[ChangeStreams, Depends(_streams)],
    wanted: Annotated[ChangeFilter, Query()],
    last_event_id: Annotated[
        str,
        Header(alias=LAST_EVENT_ID, description="The position of the last event received; before `after`"),
    ] = "",
) -> AsyncIterator[_Following]:
    """Filter that the request follows, with a place for its stream."""
    after, name = wanted.after, "after"
    if last_event_id:
        name = LAST_EVENT_ID
        if not re.fullmatch("[0-9]{1,16}", last_event_id) or int(last_event_id) > MAX_POSITION:
            wrong = FieldError(name, "must be the id of an event", last_event_id)
            raise InvalidFields([wrong])
        after = int(last_event_id)
    service.check_entity(features, wanted.entity)
    await service.check_position(db, after, name)
    with streams.place():
        yield _Following(streams, after, Audience.of(holder, features))


@router.get(
    "/events",
    summary="Follow changes",
    response_class=EventSourceResponse,
    responses={**error_responses(PositionGone, TooManyStreams), **_EVENTS},
)
async def follow_changes(
    request: Request,
    following: Annotated[_Following, Depends(_following)],
    wanted: Annotated[ChangeFilter, Query()],
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events from now on, or after a position; their ids are the positions, and the present one
    comes at once. A client that reconnects with `Last-Event-ID` gets everything that it missed, for as long
    as that is kept.
    """
    audience, admitted = following.audience, partial(is_still_let_in, request.scope)
    events = following.streams.follow(following.after, wanted, audience, admitted)
    async for event in sent(events, following.after, lambda each: ("change", each.json_for(audience))):
        yield event
