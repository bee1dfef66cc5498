"""Counts the queries of one unit of work, such as a request, for `Server-Timing` and for tests of N+1."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Meter:
    """`queries` sent to the engine (BEGIN and COMMIT aside) and the `seconds` spent waiting for them."""

    queries: int = 0
    seconds: float = 0.0


current_meter: ContextVar[Meter | None] = ContextVar("current_meter", default=None)


@contextmanager
def measure() -> Iterator[Meter]:
    """Meter everything that runs in this context, including the tasks that it starts."""
    meter = Meter()
    token = current_meter.set(meter)
    try:
        yield meter
    finally:
        current_meter.reset(token)
