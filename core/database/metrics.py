"""Metrics of the database. Gauges are added up over the live workers. A meter counts for one
unit of work, such as a request, with the tasks that it starts.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

from core.observability.metrics import Counter, Gauge, Histogram

QUERY_SECONDS = Histogram(
    "handover_database_query_seconds",
    "Time from sending a query to the engine until its answer",
    ["model", "operation"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
QUERY_ERRORS = Counter("handover_database_query_errors_total", "Queries that failed, by error", ["error"])
RETRIES = Counter(
    "handover_database_retries_total", "Attempts at a unit of work that were repeated, by error", ["reason"]
)
RETRIED_UNITS = Counter(
    "handover_database_retried_units_total",
    "Units of work that met a conflict or lost their connection, by how they ended",
    ["outcome"],
)
RESTARTS = Counter("handover_engine_restarts_total", "Engine processes that ended unasked and were replaced")
IN_FLIGHT = Gauge(
    "handover_engine_in_flight", "Requests sent to the engine and not answered", multiprocess_mode="livesum"
)
TRANSACTIONS = Gauge(
    "handover_engine_transactions", "Open interactive transactions", multiprocess_mode="livesum"
)
MEMORY = Gauge(
    "handover_engine_resident_memory_bytes", "Memory of the engine processes", multiprocess_mode="livesum"
)
POOL = Gauge(
    "handover_database_pool_connections",
    "Connections of the pools, by state",
    ["state"],
    multiprocess_mode="livesum",
)
POOL_WAITING = Gauge(
    "handover_database_pool_waiting",
    "Queries and transactions waiting for a connection",
    multiprocess_mode="livesum",
)
POOL_WAITS = Counter("handover_database_pool_waits_total", "Times that no connection was free at once")
POOL_WAIT_SECONDS = Counter("handover_database_pool_wait_seconds_total", "Time spent waiting for connections")
REFUSED = Counter(
    "handover_database_pool_refused_total",
    "Queries and transactions refused: too many waited already (full), or they waited too long (timeout)",
    ["reason"],
)
BEGIN_SECONDS = Histogram(
    "handover_database_transaction_begin_seconds",
    "Time from asking for a transaction until it is open: nearly all of it is waiting for a connection",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


@cache
def query_seconds(model: str, operation: str) -> Histogram:
    return QUERY_SECONDS.labels(model, operation)


def record_pool(
    stats: Mapping[str, float], before: Mapping[str, float], *, in_flight: int, waiting: int
) -> None:
    """Record statistics of the engine, of which `before` are the earlier ones, and counts of this process."""
    IN_FLIGHT.set(in_flight)
    POOL.labels("total").set(stats["poolTotal"])
    POOL.labels("idle").set(stats["poolIdle"])
    POOL.labels("in_use").set(stats["poolTotal"] - stats["poolIdle"])
    POOL_WAITING.set(stats["poolWaiting"] + waiting)
    POOL_WAITS.inc(stats["poolWaits"] - before.get("poolWaits", 0))
    POOL_WAIT_SECONDS.inc(stats["poolWaitSeconds"] - before.get("poolWaitSeconds", 0))
    TRANSACTIONS.set(stats["transactions"])
    MEMORY.set(stats["memoryBytes"])


@dataclass(slots=True)
class Meter:
    """Count of `queries` sent to the engine (BEGIN and COMMIT aside) and `seconds` of waiting for them."""

    queries: int = 0
    seconds: float = 0.0


current_meter: ContextVar[Meter | None] = ContextVar("current_meter", default=None)
