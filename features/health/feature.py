"""Manifest of the slice."""

from core.feature import Feature
from features.health.router import router
from features.health.schemas import DatabaseStatus, Dependency, DependencyStatus, HealthStatus, Readiness
from features.health.service import show_version

feature = Feature(
    name="health",
    description="Is it there, does it work",
    router=router,
    enumerations={
        "DependencyStatus": DependencyStatus,
        "DatabaseStatus": DatabaseStatus,
        "HealthStatus": HealthStatus,
        "Readiness": Readiness,
        "Dependency": Dependency,
    },
    on_start=show_version,
)
