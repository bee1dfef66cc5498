"""How figures are cached: each hangs on the tags of the slices that it counts or shows, which every write of
them renews. What goes by days has the day in its key, so that it turns at midnight (UTC).
"""

from typing import Final

from core.cache import Policy
from features.audit.api import AUDIT_TAGS
from features.files.api import FILE_TAGS
from features.ideas.api import IDEA_TAGS
from features.systems.api import LIST_TAGS as SYSTEM_TAGS

_ALL: Final = (*SYSTEM_TAGS, *IDEA_TAGS, *FILE_TAGS)

DASHBOARD: Final = Policy("stats.dashboard", tags=_ALL)
SYSTEMS: Final = Policy("stats.systems", tags=SYSTEM_TAGS)
IDEAS: Final = Policy("stats.ideas", tags=IDEA_TAGS)
FILES: Final = Policy("stats.files", tags=FILE_TAGS)
HEALTH: Final = Policy("stats.health", tags=SYSTEM_TAGS)
ANALYTICS: Final = Policy("stats.analytics", tags=_ALL)
SEARCH: Final = Policy("stats.search", tags=_ALL)
ACTIVITY: Final = Policy("stats.activity", tags=(*_ALL, *AUDIT_TAGS))
