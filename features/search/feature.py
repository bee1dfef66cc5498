"""Manifest of the slice."""

from core.feature import Feature
from features.search.cache import CACHE_TAGS, renewed
from features.search.jobs import INDEX_FILE, REINDEX, follow_file, index_when_stale
from features.search.router import router
from features.search.schemas import DocumentType, Source

feature = Feature(
    name="search",
    description="Find operations, documents and uploaded texts",
    router=router,
    jobs=(REINDEX, INDEX_FILE),
    cache_tags=CACHE_TAGS,
    renews={"SearchDocument": renewed},
    on_change={"File": follow_file},
    on_start=index_when_stale,
    enumerations={"DocumentType": DocumentType, "DocumentSource": Source},
)
