"""What this slice hands to the app."""

from core.feature import Feature
from features.files.cache import CACHE_TAGS
from features.files.jobs import RECONCILE
from features.files.router import router

feature = Feature(name="files", router=router, jobs=(RECONCILE,), cache_tags=CACHE_TAGS)
