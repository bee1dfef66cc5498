"""Metrics of HTTP. Existing dashboards scrape these two by name."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, NamedTuple

from core.observability.metrics import Counter, Histogram, observe_many

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
    the requested one.
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


def observe(requests: Iterable[AnsweredRequest]) -> None:
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
