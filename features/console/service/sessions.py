"""Service of sessions: who signs in with a key gets a token in a cookie, and the key is kept so that only
the cookie opens it.

A token is 256 random bits. Stored are its SHA-256 and the key combined with a pad that follows from the
token: neither the table nor the cookie alone tells the key. Each token seals one key, so that no pad is
used twice.
"""

import asyncio
import hmac
from collections import OrderedDict
from datetime import timedelta
from hashlib import sha256, shake_256
from secrets import token_urlsafe
from typing import Final

from core.database.client import Database
from core.errors import Unavailable
from core.http.request.access import Principal
from core.http.request.fields import now
from core.platform import Platform
from features.console import queries
from features.console.schemas import Session, StoredSession

LIFETIME: Final = timedelta(hours=12)
PATIENCE_S: Final = 2.0
MOST_REMEMBERED: Final = 1000


async def open_session(db: Database, key: str, holder: Principal) -> tuple[str, timedelta]:
    """Token of a new session of the holder of a key, and how long it is good for."""
    moment, token = now(), token_urlsafe(32)
    ends = moment + LIFETIME if holder.expires_at is None else min(moment + LIFETIME, holder.expires_at)
    await queries.delete_expired(db, moment)
    sealed = _combined(key.encode(), token).hex()
    await queries.create_session(db, StoredSession(_id_of(token), sealed, holder.name, holder.scope, ends))
    return token, ends - moment


class Sessions:
    """Sessions of a process. While the database is down, those that it has found before go on, so that the
    overview can say what is wrong; what they may still do, the API says.
    """

    def __init__(self, platform: Platform) -> None:
        self._db = platform.db
        self._found: OrderedDict[str, StoredSession] = OrderedDict()

    async def find(self, token: str) -> Session | None:
        """Session of a token, if it has not ended. Whether its key is still valid, the API says. Raises
        Unavailable.
        """
        session_id = _id_of(token)
        try:
            async with asyncio.timeout(PATIENCE_S):
                stored = await queries.find_session(self._db, session_id)
        except (Unavailable, TimeoutError):
            stored = self._found.get(session_id)
            if stored is None:
                raise Unavailable("PostgreSQL does not answer: nobody can sign in until it is back") from None
        if stored is None or stored.expires_at <= now():
            self._found.pop(session_id, None)
            return None
        self._found[session_id] = stored
        if len(self._found) > MOST_REMEMBERED:
            self._found.popitem(last=False)
        key = _combined(bytes.fromhex(stored.sealed_key), token).decode("latin-1")
        return Session(stored.id, key, stored.name, stored.scope, _csrf_of(token))


async def close_session(db: Database, session: Session) -> None:
    await queries.delete_session(db, session.id)


def _id_of(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _csrf_of(token: str) -> str:
    return hmac.digest(token.encode(), b"forms", "sha256").hex()


def _combined(text: bytes, token: str) -> bytes:
    """The text, combined with the token's pad; twice is the text again."""
    pad = shake_256(b"key\0" + token.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, pad, strict=True))
