"""Back-off of a delivery, as in the specification's example, and the load that one receiver gets."""

import random
import time
from dataclasses import dataclass
from typing import Final

from features.webhooks.schemas import Outcome

DELAYS_S: Final = (5, 300, 1800, 7200, 18_000, 36_000)
"""Delays after the first failed attempts; the last one from then on."""
JITTER: Final = 0.2
AT_ONCE: Final = 8
"""Requests of one webhook at a time."""
LONGEST_PAUSE_S: Final = 60.0
LONGEST_WISH_S: Final = 3600.0
"""Upper bound of a `Retry-After` that is heeded."""
_OVERLOADED: Final = frozenset({None, 429, 502, 503, 504})
"""No answer, and the statuses by which a receiver says that it cannot take more."""


def delay_s(attempts: int, retry_after: str | None) -> float:
    """Delay after so many failed attempts; not shorter than the receiver asks for, in seconds."""
    wish = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
    own = DELAYS_S[min(attempts, len(DELAYS_S)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(own, min(wish, LONGEST_WISH_S))


@dataclass(slots=True)
class Pace:
    """Load of one receiver. One that cannot take more is left alone for half a second, then twice as long
    each time, and then asked with one request.
    """

    overloads: int = 0
    rests_until: float = 0.0

    def room(self, under_way: int) -> int:
        """Requests that may begin now."""
        if time.monotonic() < self.rests_until:
            return 0
        return max((1 if self.overloads else AT_ONCE) - under_way, 0)

    def note(self, outcome: Outcome) -> None:
        if outcome.status not in _OVERLOADED:
            self.overloads = 0
        elif time.monotonic() >= self.rests_until:  # not for each of those that were under way
            self.overloads += 1
            self.rests_until = time.monotonic() + min(2.0 ** (self.overloads - 2), LONGEST_PAUSE_S)
