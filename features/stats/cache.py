"""Response cache policies of statistics: each depends on the tags of the slices that it counts or shows,
which every write of them renews. Series by day have the day in their key, so that they turn at midnight
(UTC), and so do not follow from their URL alone; nor do responses that name or count files, for they may be
shown to some only. Counting is slow beside reading a row, so an entry that expires unchanged is served while
it is refreshed.
"""

from functools import cache
from typing import Final

from core.cache import Policy
from features.audit.api import AUDIT_TAGS
from features.files.api import FILE_TAGS
from features.ideas.api import IDEA_TAGS
from features.systems.api import LIST_TAGS as SYSTEM_TAGS

_ALL: Final = (*SYSTEM_TAGS, *IDEA_TAGS, *FILE_TAGS)
STALE_S: Final = 60.0

DASHBOARD: Final = Policy("stats.dashboard", tags=_ALL, stale_s=STALE_S)
SYSTEMS: Final = Policy("stats.systems", tags=SYSTEM_TAGS, by_url=True, stale_s=STALE_S)
IDEAS: Final = Policy("stats.ideas", tags=IDEA_TAGS, by_url=True, stale_s=STALE_S)
FILES: Final = Policy("stats.files", tags=FILE_TAGS, stale_s=STALE_S)
HEALTH: Final = Policy("stats.health", tags=SYSTEM_TAGS, by_url=True, stale_s=STALE_S)
ANALYTICS: Final = Policy("stats.analytics", tags=_ALL, stale_s=STALE_S)
SEARCH: Final = Policy("stats.search", tags=_ALL, stale_s=STALE_S)


@cache
def activity_policy(tags: tuple[str, ...]) -> Policy:
    """`tags`: of the activities that are told."""
    return Policy("stats.activity", tags=(*tags, *AUDIT_TAGS), stale_s=STALE_S)
