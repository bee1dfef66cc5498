"""Manifest of the slice."""

from core.feature import Feature
from features.imports.comparison.schemas import ComparedSource, DifferenceKind
from features.imports.jobs import JOBS, VERIFY
from features.imports.router import router
from features.imports.schemas import ImportSource, Into, OnConflict, RejectForm
from features.imports.undo import contents
from features.imports.undo.run import AUDITED, UNDO

feature = Feature(
    name="imports",
    description="Legacy data comes in",
    router=router,
    jobs=(*JOBS, VERIFY, UNDO),
    needs_objects=contents.needed,
    entities=(AUDITED,),
    admin=True,
    enumerations={
        "ImportSource": ImportSource,
        "ComparedSource": ComparedSource,
        "DifferenceKind": DifferenceKind,
        "OnConflict": OnConflict,
        "ImportList": Into,
        "RejectForm": RejectForm,
    },
)
