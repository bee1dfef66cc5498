"""What has to be committed together with whatever the request in hand commits.

An idempotency key is marked in the very transaction that makes its request's change, so that neither exists
without the other. The units of `core.database.transaction` ask here before they commit; slices know nothing
of it.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Companion = Callable[[Any], Awaitable[None]]
"""Given the client of the transaction, as its last work before the commit; what it raises rolls back."""

_current: ContextVar[Companion | None] = ContextVar("companion", default=None)


def companion() -> Companion | None:
    """That of the current task, if it has one."""
    return _current.get()


@contextmanager
def accompanied_by(work: Companion) -> Iterator[None]:
    token = _current.set(work)
    try:
        yield
    finally:
        _current.reset(token)
