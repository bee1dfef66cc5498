"""Response cache policies of the search: responses depend on the whole index, whose tag a job renews after
each batch that changed it, and on the files, whose changes decide at once who may find their texts. Those of
ideas and items depend on the rows alone.
"""

from typing import Final

from core.cache import Policy
from core.database.writes import Write
from features.files.api import FILE_TAGS
from features.ideas.api import IDEA_TAGS
from features.items.api import LIST_TAGS
from features.search.schemas import RowKind

INDEX_TAGS: Final = ("search",)
_TAGS: Final = (*INDEX_TAGS, *FILE_TAGS)
RESULTS: Final = Policy("search.results", tags=_TAGS)
SUGGESTIONS: Final = Policy("search.suggestions", tags=_TAGS)
DOCUMENT: Final = Policy("search.document", tags=_TAGS)
ROWS: Final[dict[RowKind | None, Policy]] = {
    "idea": Policy("search.ideas", tags=IDEA_TAGS),
    "item": Policy("search.items", tags=LIST_TAGS),
}

CACHE_TAGS: Final = INDEX_TAGS


def renewed(write: Write) -> tuple[str, ...]:
    """The tags that a write of documents renews."""
    return INDEX_TAGS
