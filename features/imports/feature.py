"""What the app mounts of this slice."""

from core.feature import Feature
from features.imports.jobs import LOWDB
from features.imports.router import router

feature = Feature(name="imports", router=router, jobs=(LOWDB,), admin=True)
