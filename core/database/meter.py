"""The count of the queries of one unit of work, such as a request, with the tasks that it starts."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Meter:
    """Count of `queries` sent to the engine (BEGIN and COMMIT aside) and `seconds` of waiting for them."""

    queries: int = 0
    seconds: float = 0.0


current_meter: ContextVar[Meter | None] = ContextVar("current_meter", default=None)
