"""Manifest of the slice."""

from core.feature import Feature
from features.imports.jobs import JOBS
from features.imports.router import router
from features.imports.schemas import FileSource, ImportSource, Into, OnConflict
from features.imports.undo import contents
from features.imports.undo.run import UNDO

feature = Feature(
    name="imports",
    description="Legacy data comes in",
    router=router,
    jobs=(*JOBS, UNDO),
    needs_objects=contents.needed,
    admin=True,
    enumerations={
        "ImportSource": ImportSource,
        "FileSource": FileSource,
        "OnConflict": OnConflict,
        "ImportList": Into,
    },
)
