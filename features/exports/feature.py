"""Manifest of the slice."""

from core.feature import Feature
from features.exports.jobs import CSV, LOWDB, REGISTRY
from features.exports.router import router
from features.exports.schemas import Form, ListName

feature = Feature(
    name="exports",
    description="And goes back in its old form",
    router=router,
    jobs=(LOWDB, REGISTRY, CSV),
    admin=True,
    enumerations={"ExportForm": Form, "ExportList": ListName},
)
