"""Figures of the cache for `/metrics`. Labels come from code (policy names, tag families), never from
requests.
"""

from typing import Final, Literal

from core.cache.policy import Outcome
from core.observability.metrics import Counter, Gauge, Histogram

Tier = Literal["memory", "redis"]

_requests: Final = Counter(
    "handover_cache_requests_total", "Reads that went through the cache.", ["policy", "outcome"]
)
joined: Final = Counter(
    "handover_cache_joined_total",
    "Reads that waited for the load of another one (single flight).",
    ["policy"],
)
_hits: Final = Counter("handover_cache_hits_total", "Hits by the place that had the entry.", ["tier"])
stale: Final = Counter(
    "handover_cache_stale_total",
    "Hits after the time to live, while one load fetched the answer anew.",
    ["policy"],
)
invalidations: Final = Counter("handover_cache_invalidations_total", "Tags that were invalidated.", ["tag"])
errors: Final = Counter("handover_cache_errors_total", "Redis commands that failed.", ["operation"])
redis_seconds: Final = Histogram(
    "handover_cache_redis_seconds",
    "Time of Redis commands that answered.",
    ["operation"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
entries: Final = Gauge(
    "handover_cache_entries", "Entries in the memory of the workers.", multiprocess_mode="livesum"
)
used_bytes: Final = Gauge(
    "handover_cache_bytes", "Bytes in the memory of the workers.", multiprocess_mode="livesum"
)
evictions: Final = Counter("handover_cache_evictions_total", "Entries put out of memory for want of room.")


def count_request(policy: str, outcome: Outcome, number: int = 1) -> None:
    _requests.labels(policy, outcome.value.lower()).inc(number)


def count_hits(policy: str, tier: Tier, number: int = 1) -> None:
    count_request(policy, Outcome.HIT, number)
    _hits.labels(tier).inc(number)
