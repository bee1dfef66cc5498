"""Server-sent events with positions, by which a client goes on after the last one that it got."""

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol, TypeVar

from fastapi.sse import ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

RECONNECT_MS: Final = 1000


class Positioned(Protocol):
    """Event with its place in the order of its stream."""

    @property
    def position(self) -> int: ...


Event = TypeVar("Event", bound=Positioned)


class Dropped(BaseModel):
    """Data of the last event of a stream whose client was too slow, or too far behind."""

    model_config = ConfigDict(json_schema_extra={"example": {"after": "1795882115191871"}})

    after: str | None = Field(description="The position to go on after; null: none was sent yet")


async def sent(
    events: AsyncIterator[Event | None], after: int | None, show: Callable[[Event], tuple[str, str]]
) -> AsyncIterator[ServerSentEvent]:
    """Events after a position as they are sent, None as `dropped`; `show` gives kind and data of each."""
    async for event in events:
        if event is None:
            hint = Dropped(after=None if after is None else str(after))
            yield ServerSentEvent(raw_data=hint.model_dump_json(), event="dropped", retry=RECONNECT_MS)
            return
        after = event.position
        kind, data = show(event)
        yield ServerSentEvent(raw_data=data, id=str(after), event=kind, retry=RECONNECT_MS)
