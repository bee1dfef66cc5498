"""Service of keys: create, list, revoke, authenticate."""

import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from typing import Final

import structlog

from core.database.client import AuthoredDatabase, Database
from core.database.transaction import retried
from core.errors import FieldError, InvalidFields, Unavailable
from core.http.answers.envelope import ListEnvelope, listed
from core.http.answers.pagination import check_start, decode_position, encode_place
from core.http.request.access import Principal
from core.http.request.fields import now
from core.platform import Platform
from features.keys import queries
from features.keys.cache import KEY_TAG
from features.keys.errors import KeyNotFound
from features.keys.schemas import KEY, ApiKey, CreatedKey, CreateKey, KeyQuery, StoredKey

LIFETIME_S: Final = 5.0
"""Upper bound of the time for which a valid key is remembered."""
USE_NOTED_EVERY: Final = timedelta(minutes=5)
"""Minimum time between two writes of a key's last use."""

_SCOPE: Final = ("keys",)
_NOBODYS_HASH: Final = hashlib.sha256().hexdigest()

log = structlog.get_logger(__name__)


async def list_keys(db: Database, query: KeyQuery) -> ListEnvelope[ApiKey]:
    """Page of keys; without `limit` every key from there on."""
    check_start(query.cursor, query.offset)
    after = None if query.cursor is None else decode_position(query.cursor, _SCOPE)
    # One more than asked for tells whether there is a next page.
    take = None if query.limit is None else query.limit + 1
    keys = await queries.find_keys(db, after=after, offset=query.offset, take=take)
    shown = keys[: query.limit]
    cursor = None
    if len(keys) > len(shown):
        cursor = encode_place(_SCOPE, shown[-1].created_at, shown[-1].id)
    is_all = not query.offset and after is None and cursor is None
    return listed(shown, total=len(shown) if is_all else await queries.count_keys(db), next_cursor=cursor)


async def create_key(db: AuthoredDatabase, created_by: str, values: CreateKey) -> CreatedKey:
    """Create a key. Only its result holds the secret. Raises Invalid for an expiry in the past."""
    moment = now()
    if values.expires_at is not None and values.expires_at <= moment:
        wrong = FieldError("expiresAt", "must be in the future", values.expires_at.isoformat())
        raise InvalidFields([wrong])
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    about = ApiKey(
        id=key_id,
        name=values.name,
        scope=values.scope,
        created_by=created_by,
        created_at=moment,
        expires_at=values.expires_at,
    )

    stored = StoredKey(about, _hash(secret))
    await retried(db, lambda tx: queries.create(tx, stored))
    log.info("keys.created", key_id=key_id, name=about.name, scope=about.scope)
    return CreatedKey(**about.model_dump(), key=f"hv_{key_id}_{secret}")


async def revoke_key(db: AuthoredDatabase, key_id: str) -> ApiKey:
    """Revoke a key: at once on this host, within seconds on others. Raises KeyNotFound."""
    moment = now()
    await retried(db, lambda tx: queries.revoke(tx, key_id, moment))
    found = await queries.find(db, key_id)
    if found is None:
        raise KeyNotFound(key_id)
    log.info("keys.revoked", key_id=key_id, name=found.about.name)
    return found.about


class KnownKeys:
    """Valid keys that this process remembers, for LIFETIME_S at most and until this host hears of a change of
    any key. So revoking takes effect at once on the host where it happens, and on others within
    CACHE_HOSTS_BOUND_MS. What is remembered is the SHA-256 of the key, never the key.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        # Only keys that were valid once get in here, so it is bounded by their number.
        self._known: dict[str, tuple[Principal, bytes, float]] = {}

    async def holder(self, given: str) -> Principal | None:
        """Holder of the key, if it is valid: remembered, or looked up."""
        digest, versions = _hash(given), self._platform.cache.versions_of(KEY_TAG)
        known, noted, until = self._known.get(digest, (None, b"", 0.0))
        if known is not None and noted == versions and time.monotonic() < until:
            return known
        self._known.pop(digest, None)
        found = await authenticate(self._platform.db, given)
        if found is not None:
            left_s = LIFETIME_S
            if found.expires_at is not None:
                left_s = min(LIFETIME_S, (found.expires_at - now()).total_seconds())
            self._known[digest] = (found, versions, time.monotonic() + left_s)
        return found


async def holder_of(platform: Platform, given: str) -> Principal | None:
    """Holder of the key of a request."""
    return await platform.part(KnownKeys).holder(given)


async def authenticate(db: Database, given: str) -> Principal | None:
    """Holder of the key; None if it is malformed, unknown, expired or revoked. The log says which."""
    found = KEY.fullmatch(given)
    if found is None:
        log.warning("access.refused", reason="malformed")
        return None
    key_id, secret = found.groups()
    stored = await queries.find(db, key_id)
    # Compared also when there is no such id, and in constant time: how long it takes tells nothing.
    genuine = hmac.compare_digest(_hash(secret), _NOBODYS_HASH if stored is None else stored.secret_hash)
    moment = now()
    if stored is None or not genuine or not stored.about.valid_at(moment):
        reason = "unknown" if stored is None else "wrong" if not genuine else "not valid any more"
        log.warning("access.refused", reason=reason, key_id=key_id)
        return None
    about = stored.about
    if about.last_used_at is None or moment - about.last_used_at > USE_NOTED_EVERY:
        try:
            await queries.used(db, key_id, moment)
        except Unavailable as error:
            log.warning("keys.use_not_noted", key_id=key_id, error=type(error).__name__)
    return Principal(key_id, about.name, about.scope, about.expires_at)


async def tell_when_there_is_none(platform: Platform) -> None:
    """Warn at start if AUTH=keys and no key is valid: the first one cannot be made over HTTP."""
    if platform.settings.auth == "keys":
        moment = now()
        if not any(key.valid_at(moment) for key in await queries.find_keys(platform.db)):
            log.warning("keys.none", hint="make the first one: handover keys create NAME --scope admin")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
