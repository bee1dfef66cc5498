"""Access log: one event for each answered request, and its share in the metrics.

Both would cost more than a cached response if they were written one by one, so they are put off and written
for all requests of some milliseconds together (`core.observability.logging`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from core.http.request.context import PROBES
from core.observability import logging
from core.observability.logging import Deferred
from core.observability.metrics import Counter, Histogram, observe_many

log = structlog.get_logger("handover.http")

EVENT: Final = "http.request"


# Existing dashboards scrape the two metrics by name.
_LABELS: Final = ("method", "route", "status")
_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REQUESTS: Final = Counter("tradingsystem_http_requests_total", "HTTP requests answered", _LABELS)
_DURATION: Final = Histogram(
    "tradingsystem_http_request_duration_seconds",
    "Seconds from the request's first byte to the response's last",
    _LABELS,
    buckets=_BOUNDS,
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

UNMATCHED: Final = "unmatched"
"""Route of all requests that no route answered."""


class AnsweredRequest(NamedTuple):
    """Answered request. `at` is the time of its end, in seconds since 1970; `route` is the template, `path`
    the requested one; `reason` is why it was refused.
    """

    at: float
    method: str
    route: str
    path: str
    status: int
    seconds: float
    queries: int
    client: str | None
    request_id: str
    reason: str | None = None


def _observe(requests: Iterable[AnsweredRequest]) -> None:
    """Count requests. Equal ones are added up first, so that the metrics' files are written once for them."""
    alike: dict[tuple[str, str, int], list[float]] = {}
    for each in requests:
        alike.setdefault((each.method, each.route, each.status), []).append(each.seconds)
    for (method, route, status), seconds in alike.items():
        labels = (method if method in _METHODS else "OTHER", route, str(status))
        counts = [0] * (len(_BOUNDS) + 1)
        for value in seconds:
            counts[bisect_left(_BOUNDS, value)] += 1
        _REQUESTS.labels(*labels).inc(len(seconds))
        observe_many(_DURATION.labels(*labels), counts, sum(seconds))


def record(request: AnsweredRequest) -> None:
    """Log and count a request. Call it once for each, when the last byte of the response was sent."""
    _deferred.add(request)
    if request.status >= 500 or not logging.writes_lines():
        _deferred.flush()


def _write(requests: Sequence[AnsweredRequest]) -> None:
    _observe(requests)
    lines, others = [], []
    as_lines = logging.writes_lines()
    for each in requests:
        fields = {
            "method": each.method,
            "route": each.route,
            "path": each.path,
            "status": each.status,
            "ms": round(each.seconds * 1000, 2),
            "queries": each.queries,
            "client": each.client,
            "request_id": each.request_id,
            **({} if each.reason is None else {"reason": each.reason}),
        }
        if each.status >= 500:
            others.append((log.warning, fields))
        elif each.path in PROBES:
            others.append((log.debug, fields))
        elif as_lines:
            lines.append(logging.info_line(EVENT, datetime.fromtimestamp(each.at, UTC), fields))
        else:
            others.append((log.info, fields))
    logging.write_lines(lines)
    for write, fields in others:
        write(EVENT, **fields)


_deferred: Final = Deferred(_write)
