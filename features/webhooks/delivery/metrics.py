"""Metrics of deliveries."""

from typing import Final

from core.observability.metrics import Counter, Gauge, Histogram

ATTEMPTS: Final = Counter(
    "handover_webhook_attempts_total",
    "Requests to receivers that have ended: delivered; failed; dead, when no other one follows; forgotten, "
    "when the webhook was deleted meanwhile",
    ["outcome"],
)
SECONDS: Final = Histogram(
    "handover_webhook_attempt_seconds",
    "Time of a request to a receiver",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15),
)
WAITING: Final = Gauge(
    "handover_webhook_deliveries_waiting",
    "Deliveries that wait, as the process that sends counts them; 0 elsewhere",
    multiprocess_mode="livemostrecent",
)
OLDEST: Final = Gauge(
    "handover_webhook_oldest_waiting_seconds",
    "Age of the oldest delivery that waits; 0 when none does",
    multiprocess_mode="livemostrecent",
)
