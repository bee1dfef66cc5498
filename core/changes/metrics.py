"""Figures of the log of changes for `/metrics`."""

from typing import Final

from core.observability.metrics import Counter, Histogram

LOOK_SECONDS: Final = Histogram(
    "handover_changes_look_seconds",
    "Time of a look at the log of changes, its effects included.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
LINES: Final = Counter("handover_changes_lines_total", "Changes of others that were read from the log.")
LOST: Final = Counter(
    "handover_changes_lost_total", "Times that changes may have been missed: all entries were left behind."
)
