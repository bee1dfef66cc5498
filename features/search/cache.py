"""How answers of the search are cached: they hang on the whole index, which a job renews after each batch
that changed it.
"""

from typing import Final

from core.cache import Policy

INDEX_TAGS: Final = ("search",)
RESULTS: Final = Policy("search.results", tags=INDEX_TAGS)
SUGGESTIONS: Final = Policy("search.suggestions", tags=INDEX_TAGS)
DOCUMENT: Final = Policy("search.document", tags=INDEX_TAGS)

CACHE_TAGS: Final = INDEX_TAGS
