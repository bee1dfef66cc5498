"""Manifest of the slice."""

from core.changes.pruning import PRUNE as PRUNE_CHANGES
from core.feature import Feature
from core.idempotency.pruning import PRUNE
from core.jobs import JobState
from features.jobs.router import router

feature = Feature(
    name="jobs",
    description="Work in the background: state, progress, cancelling",
    router=router,
    jobs=(PRUNE, PRUNE_CHANGES),
    admin=True,
    enumerations={"JobState": JobState},
)
