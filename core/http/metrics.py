"""The figures of HTTP. Existing dashboards scrape these two by name."""

from typing import Final

from starlette.types import Scope

from core.observability.metrics import Counter, Histogram

_LABELS: Final = ("method", "route", "status")
_REQUESTS: Final = Counter("tradingsystem_http_requests_total", "HTTP requests answered", _LABELS)
_DURATION: Final = Histogram(
    "tradingsystem_http_request_duration_seconds",
    "Seconds from the request's first byte to the response's last",
    _LABELS,
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

UNMATCHED: Final = "unmatched"
# labels() costs more than counting; the combinations are few, since none of the three is free text.
_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def route_of(scope: Scope) -> str:
    """The route's template (`/api/items/{id}`), one word for everything that no route answered."""
    route = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or UNMATCHED


def observe(method: str, route: str, status: int, seconds: float) -> None:
    key = (method if method in _METHODS else "OTHER", route, status)
    found = _children.get(key)
    if found is None:
        labels = (key[0], route, str(status))
        found = _children[key] = (_REQUESTS.labels(*labels), _DURATION.labels(*labels))
    found[0].inc()
    found[1].observe(seconds)
