"""The manifest of the jobs slice."""

from core.feature import Feature
from features.jobs.router import router

feature = Feature(name="jobs", router=router, admin=True)
