"""Names and bytes of what is in Redis, or goes through it.

Names begin with the `run_id` of the Redis process, so that one which was restarted, restored from a snapshot
or replaced starts empty. Entries are further named by the host's epoch, for they hold stamps that only this
host can check; stamps of tags belong to all hosts.

An entry begins with everything it depends on (format, key, the host's stamps, Redis' stamps). It is used only
if it begins with exactly what the reader expects, so foreign data, a colliding key or a reply that belongs to
another command are a miss.
"""

import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from core.cache.policy import DIGEST_BYTES, Address, Entry
from core.cache.stamps import STAMP_BYTES

FORMAT: Final = b"\x02"
CHANNEL: Final = "handover:invalidated"


def channel_of(connection: Mapping[str, object]) -> str:
    """Where hosts tell each other of writes. A channel belongs to a whole Redis server, so its name holds the
    number of the database.
    """
    return f"{CHANNEL}:{connection.get('db') or 0}"


_ENTRY_HEAD: Final = struct.Struct(">HHd")
_MESSAGE_HEAD: Final = struct.Struct(f">{STAMP_BYTES}sd")


def entry_name(run_id: str, address: Address, local: bytes) -> str:
    return f"handover:{run_id}:entry:{local[:STAMP_BYTES].hex()}:{address.digest.hex()}"


def stamp_name(run_id: str, tag: bytes) -> str:
    return f"handover:{run_id}:stamp:{tag.hex()}"


def lease_name(run_id: str, address: Address, local: bytes, stamps: bytes) -> str:
    """One name for all who would take each other's load: they noted the same stamps."""
    digest = blake2b(preamble(address, local, stamps), digest_size=DIGEST_BYTES, person=b"lease").hexdigest()
    return f"handover:{run_id}:lease:{digest}"


def preamble(address: Address, local: bytes, stamps: bytes) -> bytes:
    return b"".join((FORMAT, address.digest, local, stamps))


def encode_entry(entry: Entry, expires_at: float, preamble: bytes) -> bytes:
    etag = entry.etag.encode()
    return b"".join((preamble, _ENTRY_HEAD.pack(entry.status, len(etag), expires_at), etag, entry.body))


def decode_entry(value: bytes | None, preamble: bytes) -> tuple[Entry, float] | None:
    """The entry and when it expires: a time of the monotonic clock, which is the host's as the entry is."""
    if value is None or not value.startswith(preamble) or len(value) < len(preamble) + _ENTRY_HEAD.size:
        return None
    status, etag_length, expires_at = _ENTRY_HEAD.unpack_from(value, len(preamble))
    body_at = len(preamble) + _ENTRY_HEAD.size + etag_length
    return Entry(value[body_at:], value[body_at - etag_length : body_at].decode(), status), expires_at


@dataclass(frozen=True, slots=True)
class Message:
    """`origin` is the epoch of the writer's host, where the tags have been renewed already; `sent_at` is in
    seconds since 1970, by the writer's clock.
    """

    origin: bytes
    sent_at: float
    tags: tuple[bytes, ...]


def encode_message(origin: bytes, tags: Sequence[bytes]) -> bytes:
    return b"".join((_MESSAGE_HEAD.pack(origin, time.time()), *tags))


def decode_message(data: bytes) -> Message | None:
    """None when it is not one of ours."""
    if len(data) < _MESSAGE_HEAD.size or (len(data) - _MESSAGE_HEAD.size) % DIGEST_BYTES:
        return None
    origin, sent_at = _MESSAGE_HEAD.unpack_from(data)
    starts = range(_MESSAGE_HEAD.size, len(data), DIGEST_BYTES)
    return Message(origin, sent_at, tuple(data[at : at + DIGEST_BYTES] for at in starts))
