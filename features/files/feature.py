"""What this slice hands to the app."""

from core.feature import Feature
from features.files.cache import CACHE_TAGS, renewed
from features.files.jobs import reconcile
from features.files.queries.lists import known_keys
from features.files.router import router

feature = Feature(
    name="files",
    description="Uploaded files: what is known of them, and their bytes",
    router=router,
    jobs=(reconcile,),
    cache_tags=CACHE_TAGS,
    renews={"File": renewed},
    follows=("Idea", "System"),
    needs_objects=known_keys,
)
