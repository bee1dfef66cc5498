"""Server-sent events with positions, by which a client goes on after the last one that it got."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from fastapi.sse import ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

RECONNECT_MS: Final = 1000


class Positioned(Protocol):
    """Event with its place in the order of its stream."""

    @property
    def position(self) -> int: ...


Event = TypeVar("Event", bound=Positioned)


@dataclass(frozen=True, slots=True)
class Reached:
    """Position up to which a client has all that it follows, whether or not an event told it."""

    position: int


class Dropped(BaseModel):
    """Data of the last event of a stream whose client was too slow, or too far behind."""

    model_config = ConfigDict(json_schema_extra={"example": {"after": "1795882115191871"}})

    after: str | None = Field(description="The position to go on after; null: none was sent yet")


def stream_content(model: type[BaseModel]) -> dict[str, Any]:
    """Content of a response that is a stream: events whose data is of the model, or the last one."""
    schemas = [{"$ref": f"#/components/schemas/{each.__name__}"} for each in (model, Dropped)]
    return {"text/event-stream": {"schema": {"anyOf": schemas}}}


async def sent(
    events: AsyncIterator[Event | Reached | None],
    after: int | None,
    show: Callable[[Event], tuple[str, str]],
) -> AsyncIterator[ServerSentEvent]:
    """Events after a position as they are sent, None as `dropped`; `show` gives kind and data of each. What
    is reached is an id alone, which clients keep without being told.
    """
    async for event in events:
        if event is None:
            hint = Dropped(after=None if after is None else str(after))
            yield ServerSentEvent(raw_data=hint.model_dump_json(), event="dropped", retry=RECONNECT_MS)
            return
        after = event.position
        if isinstance(event, Reached):
            yield ServerSentEvent(id=str(after), retry=RECONNECT_MS)
            continue
        kind, data = show(event)
        yield ServerSentEvent(raw_data=data, id=str(after), event=kind, retry=RECONNECT_MS)
