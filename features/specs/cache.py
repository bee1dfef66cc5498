"""Response cache policy of the validation status: the key is the documents' content, so nothing has to
invalidate it.

It is validated anew every hour all the same: that is cheap, and its time is part of the answer.
"""

from typing import Final

from core.cache import Policy

STATUS: Final = Policy("specs.status", ttl_s=3600, tags=("specs",))

CACHE_TAGS: Final = ("specs",)
