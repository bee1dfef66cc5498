"""The queries of idempotency keys. Every change names its attempt."""

import base64
import json
from dataclasses import dataclass
from typing import Final

from core.database.client import Database

_NOW: Final = "clock_timestamp()"
_LATER: Final = f"{_NOW} + make_interval(secs => {{}}::float8)"

# $1 id, $2 attempt, $3 lease in seconds, $4 seconds until the key expires. Waits for a transaction that marks
# it.
_CLAIM: Final = f"""
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

_READ: Final = f"""
SELECT lease_expires_at >= {_NOW} AND status IS NULL AS running, body_hash, body_bytes::text AS body_bytes,
    status, headers::text AS headers, encode(answer, 'base64') AS answer
FROM idempotency_keys WHERE id = $1
"""

_OURS: Final = "WHERE id = $1 AND attempt = $2::uuid"
_RENEW: Final = f"UPDATE idempotency_keys SET lease_expires_at = {_LATER.format('$3')} {_OURS}"
_MARK: Final = f"UPDATE idempotency_keys SET committed = true {_OURS}"
_GIVE_UP: Final = (
    f"UPDATE idempotency_keys SET lease_expires_at = {_NOW}, committed = committed AND $3::boolean {_OURS}"
)

_STORE: Final = f"""
UPDATE idempotency_keys SET lease_expires_at = {_NOW}, body_hash = $3, body_bytes = $4::bigint,
    status = $5::int, headers = $6::jsonb, answer = decode($7, 'base64') {_OURS}
"""


_DELETE_EXPIRED: Final = f"""
DELETE FROM idempotency_keys WHERE expires_at < {_NOW} AND lease_expires_at < {_NOW}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that the client got. Header values are text as HTTP has it (Latin-1)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """Key that was used before. `answer` comes with the hash of the body it answered, and its size in bytes;
    neither running nor answered means that the response was lost.
    """

    running: bool
    answer: Answer | None
    body_hash: str
    body_bytes: int


async def claim(db: Database, key_id: str, attempt: str, *, lease_s: float, keep_s: float) -> bool:
    return bool(await db.query_raw(_CLAIM, key_id, attempt, lease_s, keep_s))


async def read(db: Database, key_id: str) -> Held | None:
    rows = await db.query_raw(_READ, key_id)
    if not rows:
        return None
    [row] = rows
    answer = None
    if row["status"] is not None:
        headers = tuple((name, value) for name, value in json.loads(row["headers"]))
        answer = Answer(row["status"], headers, base64.b64decode(row["answer"]))
    return Held(row["running"], answer, row["body_hash"] or "", int(row["body_bytes"] or 0))


async def renew(db: Database, key_id: str, attempt: str, *, lease_s: float) -> None:
    await db.execute_raw(_RENEW, key_id, attempt, lease_s)


async def mark(tx: Database, key_id: str, attempt: str) -> bool:
    """True if the key is still that attempt's."""
    return await tx.execute_raw(_MARK, key_id, attempt) == 1


async def give_up(db: Database, key_id: str, attempt: str, *, keep_mark: bool) -> None:
    await db.execute_raw(_GIVE_UP, key_id, attempt, keep_mark)


async def store(
    db: Database, key_id: str, attempt: str, answer: Answer, *, body_hash: str, body_bytes: int
) -> None:
    headers, body = json.dumps(answer.headers), base64.b64encode(answer.body).decode()
    await db.execute_raw(_STORE, key_id, attempt, body_hash, body_bytes, answer.status, headers, body)


async def delete_expired(db: Database) -> int:
    """The number of deleted keys."""
    return await db.execute_raw(_DELETE_EXPIRED)
