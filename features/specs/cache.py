"""How the verdict on the two documents is cached: the key is their content, so nothing has to invalidate it.

It is pronounced anew every hour all the same: it is small work, and the time of it is part of the answer.
"""

from typing import Final

from core.cache import Policy

STATUS: Final = Policy("specs.status", ttl_s=3600, tags=("specs",))

CACHE_TAGS: Final = ("specs",)
