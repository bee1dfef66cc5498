"""The rate of a phase, and the time that is left of it."""

import time
from collections import deque

WINDOW_S = 10.0
RESOLUTION_S = 0.1


class Meter:
    """Meter of rows per second over the last seconds of the phase, so that a slow start is soon forgotten."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def restart(self, done: int) -> None:
        """Begin a phase, or resume it from a checkpoint, at `done`."""
        self._samples.clear()
        self._samples.append((time.monotonic(), done))

    def sample(self, done: int) -> None:
        now = time.monotonic()
        if len(self._samples) > 1 and now - self._samples[-2][0] < RESOLUTION_S:
            self._samples.pop()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Rows per second; None until something has been done."""
        if len(self._samples) < 2:
            return None
        (since, before), (now, done) = self._samples[0], self._samples[-1]
        if now <= since or done <= before:
            return None
        return round((done - before) / (now - since), 1)

    def seconds_left(self, total: int | None) -> float | None:
        rate = self.rate
        if rate is None or total is None or not self._samples:
            return None
        return round(max(total - self._samples[-1][1], 0) / rate, 1)
