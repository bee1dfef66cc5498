"""Statements of idempotency keys. Every change names its attempt; times are the database's."""

from typing import Final

from core.database.client import Database

_NOW: Final = "clock_timestamp()"
_LATER: Final = f"{_NOW} + make_interval(secs => {{}}::float8)"

# $1 id, $2 attempt, $3 lease in seconds, $4 seconds until the key expires. Waits for a transaction that marks
# it.
CLAIM: Final = f"""
INSERT INTO idempotency_keys AS held (id, attempt, lease_expires_at, expires_at)
VALUES ($1, $2::uuid, {_LATER.format("$3")}, {_LATER.format("$4")})
ON CONFLICT (id) DO UPDATE SET
    attempt = excluded.attempt, lease_expires_at = excluded.lease_expires_at,
    expires_at = excluded.expires_at, committed = false,
    body_hash = NULL, body_bytes = NULL, status = NULL, headers = NULL, answer = NULL
WHERE held.lease_expires_at < {_NOW}
    AND (held.expires_at < {_NOW} OR (NOT held.committed AND held.status IS NULL))
RETURNING attempt::text
"""

READ: Final = f"""
SELECT lease_expires_at >= {_NOW} AND status IS NULL AS running, body_hash, body_bytes::text AS body_bytes,
    status, headers::text AS headers, encode(answer, 'base64') AS answer
FROM idempotency_keys WHERE id = $1
"""

_OURS: Final = "WHERE id = $1 AND attempt = $2::uuid"
RENEW: Final = f"UPDATE idempotency_keys SET lease_expires_at = {_LATER.format('$3')} {_OURS}"
MARK: Final = f"UPDATE idempotency_keys SET committed = true {_OURS}"
GIVE_UP: Final = (
    f"UPDATE idempotency_keys SET lease_expires_at = {_NOW}, committed = committed AND $3::boolean {_OURS}"
)

STORE: Final = f"""
UPDATE idempotency_keys SET lease_expires_at = {_NOW}, body_hash = $3, body_bytes = $4::bigint,
    status = $5::int, headers = $6::jsonb, answer = decode($7, 'base64') {_OURS}
"""


_DELETE_EXPIRED: Final = f"""
DELETE FROM idempotency_keys WHERE expires_at < {_NOW} AND lease_expires_at < {_NOW}
"""


async def delete_expired(db: Database) -> int:
    """The number of deleted keys."""
    return await db.execute_raw(_DELETE_EXPIRED)
