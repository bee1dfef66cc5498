"""Manifest of the slice."""

from core.feature import Feature
from features.console.router import router

feature = Feature(name="console", description="Pages for people", router=router, own_access=True)
