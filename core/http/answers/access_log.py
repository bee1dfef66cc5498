"""Access log: one event for each answered request, and its share in the metrics.

Both would cost more than a cached response if they were written one by one, so they are put off and written
for all requests of some milliseconds together (`core.observability.deferred`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from core.http.about import metrics
from core.http.about.metrics import AnsweredRequest
from core.http.request.context import PROBES
from core.observability import logging
from core.observability.deferred import Deferred

log = structlog.get_logger("handover.http")

EVENT: Final = "http.request"


def record(request: AnsweredRequest) -> None:
    """Log and count a request. Call it once for each, when the last byte of the response was sent."""
    _deferred.add(request)
    if request.status >= 500 or not logging.writes_lines():
        _deferred.flush()


def _write(requests: Sequence[AnsweredRequest]) -> None:
    metrics.observe(requests)
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
