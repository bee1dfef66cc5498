"""Manifest of the slice. Its responses depend on the tags of other slices; it has none of its own."""

from core.feature import Feature
from features.stats.router import router
from features.stats.schemas import Overall, Timeframe

feature = Feature(
    name="stats",
    description="Figures about systems, ideas and files, and what happened lately",
    router=router,
    enumerations={"OverallHealth": Overall, "Timeframe": Timeframe},
)
