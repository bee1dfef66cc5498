"""Manifest of the slice."""

from core.feature import Feature
from features.imports.jobs import LOWDB
from features.imports.registry.run import REGISTRY
from features.imports.router import router
from features.imports.schemas import ImportSource
from features.imports.undo import contents
from features.imports.undo.run import UNDO
from features.items.api import OnConflict

feature = Feature(
    name="imports",
    description="Legacy data comes in",
    router=router,
    jobs=(LOWDB, *REGISTRY, UNDO),
    needs_objects=contents.needed,
    admin=True,
    enumerations={"ImportSource": ImportSource, "OnConflict": OnConflict},
)
