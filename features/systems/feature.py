"""Manifest of the slice."""

from core.feature import ActivityKind, Feature
from features.systems.api import ENTITY, names_of
from features.systems.cache import CACHE_TAGS, LIST_TAGS, renewed
from features.systems.jobs import CHECK_ALL
from features.systems.router import router
from features.systems.schemas import AnyStatus, CheckStatus, OrderBy, OrderDirection, Status, SystemType

feature = Feature(
    name="systems",
    description="The registered systems, and whether they answer",
    router=router,
    jobs=(CHECK_ALL,),
    cache_tags=CACHE_TAGS,
    renews={"System": renewed},
    activities=(ActivityKind(ENTITY, "name", LIST_TAGS),),
    names_of={ENTITY: names_of},
    enumerations={
        "SystemStatus": Status,
        "CheckStatus": CheckStatus,
        "AnySystemStatus": AnyStatus,
        "SystemType": SystemType,
        "SystemOrder": OrderBy,
        "OrderDirection": OrderDirection,
    },
)
