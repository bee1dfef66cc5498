"""When a connection is read: not while its client is far ahead of its answers."""

import asyncio
from collections.abc import Sized
from typing import Final

from uvicorn.protocols.http.flow_control import FlowControl

MOST_WAITING: Final = 32
"""While so many requests of a connection wait for their turn, nothing more is read from it."""


class Flow(FlowControl):
    """uvicorn's reads on after each answer, so that who asks faster than it is answered fills the memory."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if len(self._waiting) < MOST_WAITING:
            super().resume_reading()
