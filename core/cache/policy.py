"""Policies, keys and entries: the part of the cache that slices declare and hand over."""

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from core.cache.versions import slot_of

LARGEST_SHARE: Final = 4
"""An entry larger than this fraction (1/4) of `CACHE_MAX_BYTES` is not kept."""
DIGEST_BYTES: Final = 16

KeyInput = str | int | float | bool | None


class Outcome(StrEnum):
    """Outcome of a read; the value is that of `X-Cache`."""

    HIT = "HIT"
    MISS = "MISS"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished answer: bytes that can be sent as they are."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Address:
    """Place of an entry. Digests have a fixed length, so no key, however hostile, reaches Redis as text.
    `slots` are the places of the tags' versions.
    """

    digest: bytes
    slots: tuple[slice, ...] = field(repr=False, compare=False)

    def variant(self, kind: str) -> "Address":
        """Address of another form of the same answer, such as its compressed bytes."""
        return Address(_digest(self.digest + kind.encode(), b"variant"), self.slots)


@dataclass(frozen=True, slots=True)
class Policy:
    """Cache policy of one kind of answer; declared once in a slice's `cache.py`.

    `name` is dotted and unique (`items.list`); `ttl_s` is in seconds, None takes `CACHE_TTL_S`. `tags` name
    what the answer depends on, and `{key}` in a tag stands for the key of the read: `("items", "item:{key}")`
    is left behind by `invalidate("item:42")` for one key and by `invalidate("items")` for all. An answer that
    depends on rows of another slice carries that slice's tag too.

    `by_url` promises that the answer, and its key, follow from path and query of a GET alone: not from who
    asks, not from other headers, not from the date. `stale_s`: for so many seconds after its time to live an
    entry whose tags nobody has invalidated is still served while one load fetches it anew.
    """

    name: str
    ttl_s: float | None = None
    tags: tuple[str, ...] = ()
    by_url: bool = False
    stale_s: float = 0
    _prefix: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a cache policy needs a name")
        if self.ttl_s is not None and self.ttl_s <= 0:
            raise ValueError(f"cache policy {self.name}: ttl_s must be more than 0 seconds")
        if self.stale_s < 0:
            raise ValueError(f"cache policy {self.name}: stale_s must be 0 seconds or more")
        object.__setattr__(self, "_prefix", json.dumps(self.name).encode() + b"\0")

    def address(self, key: str) -> Address:
        slots = tuple([slot_of(tag_digest(tag.replace("{key}", key))) for tag in self.tags])
        return Address(_digest(self._prefix + _encode(key), b"entry"), slots)


Load = Callable[[], Coroutine[Any, Any, Entry]]


@dataclass(frozen=True, slots=True)
class Read:
    """A read under way. `noted` comes first of all: everything it finds or stores is compared with that.
    `finds`: entries may be used; `keeps`: what it loads may be kept.
    """

    policy: Policy
    address: Address
    load: Load
    noted: bytes
    finds: bool
    keeps: bool


@lru_cache(maxsize=4096)
def tag_digest(tag: str) -> bytes:
    return _digest(_encode(tag), b"tag")


def cache_key(**inputs: KeyInput | Sequence[KeyInput]) -> str:
    """One text for one set of inputs, whatever their order; 1, "1", true and null stay different."""
    return json.dumps(inputs, sort_keys=True, separators=(",", ":"), default=list)


def _digest(content: bytes, person: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES, person=person).digest()


def _encode(text: str) -> bytes:
    # Lone surrogates can arrive in a decoded URL; they must not make a read fail.
    return text.encode("utf-8", "surrogatepass")
