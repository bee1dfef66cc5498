"""Figures of the moment, from the text of `/metrics`: what the plots show is the difference between two of
them.
"""

import re
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from features.console.schemas import Figures

_LINE: Final = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_REQUESTS: Final = "tradingsystem_http_requests_total"
_DURATIONS: Final = "tradingsystem_http_request_duration_seconds_bucket"
_OWN: Final = ("/console", "/metrics", "/health")
"""Beginnings of the routes that nobody but the console and probes asks for: an idle service shows nothing."""


class _Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def figures_of(text: str) -> Figures:
    """Figures of all workers together."""
    figures = Figures(at=time.time())
    bounds: dict[float, float] = {}
    starts: list[float] = []
    for name, labels, value in _samples(text):
        counted = not labels.get("route", "").startswith(_OWN)
        if name == _REQUESTS and counted:
            figures.requests_total += value
            figures.errors_total += value if labels["status"].startswith("5") else 0
        elif name == _DURATIONS and counted:
            bound = float(labels["le"])
            bounds[bound] = bounds.get(bound, 0) + value
        elif name == "handover_cache_requests_total":
            figures.reads_total += value
            figures.hits_total += value if labels["outcome"] == "hit" else 0
        elif name == "handover_database_pool_connections":
            figures.pool_in_use += value if labels["state"] == "in_use" else 0
            figures.pool_size += value if labels["state"] == "total" else 0
        elif name == "handover_database_pool_waiting":
            figures.pool_waiting += value
        elif name == "handover_engine_resident_memory_bytes":
            figures.engine_bytes += value
        elif name == "handover_engine_restarts_total":
            figures.restarts_total += value
        elif name == "process_start_time_seconds":
            starts.append(value)
    ends = sorted(bounds.items())
    steps = [ends[0], *((bound, n - before) for (_, before), (bound, n) in pairwise(ends))] if ends else []
    figures.durations = [(None if bound == float("inf") else bound, number) for bound, number in steps]
    figures.workers, figures.started_at = len(starts), min(starts, default=0)
    return figures


def _samples(text: str) -> Iterator[_Sample]:
    for line in text.splitlines():
        if not line.startswith("#") and (found := _LINE.match(line)) is not None:
            yield _Sample(found[1], dict(_LABEL.findall(found[2] or "")), float(found[3]))
