"""Manifest of the slice."""

from core.feature import ActivityKind, Feature
from features.files.cache import CACHE_TAGS, FILE_TAGS, renewed
from features.files.changes.listeners import ENTITY
from features.files.jobs import reconcile
from features.files.queries.lists import known_keys, names_of
from features.files.router import router
from features.files.schemas import Direction, OrderBy
from features.files.service import visible

feature = Feature(
    name="files",
    description="Uploaded files: what is known of them, and their bytes",
    router=router,
    jobs=(reconcile,),
    cache_tags=CACHE_TAGS,
    renews={"File": renewed},
    follows=("Idea", "System"),
    activities=(ActivityKind(ENTITY, "originalName", FILE_TAGS, {"created": "uploaded"}, visible=visible),),
    names_of={ENTITY: names_of},
    needs_objects=known_keys,
    enumerations={"FileOrder": OrderBy, "FileOrderDirection": Direction},
)
