"""Metrics of the runner."""

from core.observability.metrics import Counter, Gauge, Histogram

RUNNING = Gauge(
    "handover_jobs_running", "Jobs that run in this app now", ["kind"], multiprocess_mode="livesum"
)
CLAIMS = Counter(
    "handover_job_claims_total", "Jobs claimed, at once after the request or by recovery", ["kind", "by"]
)
ENDED = Counter("handover_jobs_ended_total", "Jobs that ended, by final state", ["kind", "state"])
LEASES_LOST = Counter(
    "handover_job_leases_lost_total", "Runs that stopped because another runner had claimed the job", ["kind"]
)
DURATION = Histogram(
    "handover_job_duration_seconds",
    "From the first claim to the end of a job",
    ["kind"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
)
