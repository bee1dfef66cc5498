"""Manifest of the slice."""

from core.feature import Feature
from features.specs.cache import CACHE_TAGS
from features.specs.router import router
from features.specs.schemas import SpecState, SpecType

feature = Feature(
    name="specs",
    description="What the service says of itself, and whether that is valid",
    router=router,
    cache_tags=CACHE_TAGS,
    enumerations={"SpecType": SpecType, "SpecState": SpecState},
)
