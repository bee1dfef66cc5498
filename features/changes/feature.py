"""Manifest of the slice."""

from core.feature import Feature
from features.changes.jobs import PRUNE, RETENTION
from features.changes.router import router

feature = Feature(
    name="changes",
    description="What changes, as it happens: server-sent events, or pages",
    router=router,
    jobs=(RETENTION, PRUNE),
)
