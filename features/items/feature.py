"""Manifest of the slice."""

from core.feature import Feature
from features.items.cache import CACHE_TAGS, renewed
from features.items.queries import titles_of
from features.items.router import router
from features.items.schemas import Category, Priority, Status

feature = Feature(
    name="items",
    description="The idea bank",
    router=router,
    cache_tags=CACHE_TAGS,
    renews={"Item": renewed},
    names_of={"item": titles_of},
    enumerations={"ItemStatus": Status, "ItemCategory": Category, "Priority": Priority},
)
