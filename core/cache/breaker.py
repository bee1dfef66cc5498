"""Circuit breaker: after a failure nobody asks for a while, then one asks for all."""

import time
from collections.abc import Callable


class Breaker:
    """`rest_s` is how long nobody asks after a failure, in seconds; `clock` never goes back."""

    def __init__(self, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest_s = rest_s
        self._clock = clock
        self._asks_again_at: float | None = None

    @property
    def closed(self) -> bool:
        return self._asks_again_at is None

    def admits(self) -> bool:
        """True if this caller may ask. After the rest only the first one may, until it has reported."""
        if self._asks_again_at is None:
            return True
        now = self._clock()
        if now < self._asks_again_at:
            return False
        self._asks_again_at = now + self._rest_s
        return True

    def failed(self) -> bool:
        """True when this failure opened the circuit."""
        opened = self._asks_again_at is None
        self._asks_again_at = self._clock() + self._rest_s
        return opened

    def succeeded(self) -> bool:
        """True when this success closed the circuit."""
        was_open = self._asks_again_at is not None
        self._asks_again_at = None
        return was_open
