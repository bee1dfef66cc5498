"""Manifest of the slice."""

from core.feature import ActivityKind, Feature
from features.ideas.api import ENTITY, titles_of
from features.ideas.cache import CACHE_TAGS, IDEA_TAGS, renewed
from features.ideas.router import router
from features.ideas.schemas import Category, Direction, OrderBy, Priority, Status

feature = Feature(
    name="ideas",
    description="Ideas for the documentation, and their board",
    router=router,
    cache_tags=CACHE_TAGS,
    renews={"Idea": renewed},
    follows=("System",),
    activities=(ActivityKind(ENTITY, "title", IDEA_TAGS),),
    names_of={ENTITY: titles_of},
    enumerations={
        "IdeaStatus": Status,
        "IdeaCategory": Category,
        "Priority": Priority,
        "IdeaOrder": OrderBy,
        "OrderDirection": Direction,
    },
)
