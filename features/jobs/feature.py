"""Manifest of the slice."""

from core.feature import Feature
from core.idempotency import PRUNE
from core.jobs import JobState
from features.jobs.router import router

feature = Feature(
    name="jobs",
    description="Work in the background: state, progress, cancelling",
    router=router,
    jobs=(PRUNE,),
    admin=True,
    enumerations={"JobState": JobState},
)
