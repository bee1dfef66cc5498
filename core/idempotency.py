"""Idempotency keys: a request that carries one is carried out once, however often it is sent within a day.

States of a key's row, and the answer in each
=============================================
    in progress   lease not over, no answer        409, try again in a moment
    answered      status, headers, body            the same answer again, for the same body; else 409
    lost          committed, lease over, no answer 409: carried out, but its answer was lost; look first
    free          not committed, lease over        the request is carried out as if for the first time
    expired       a day after it was first used    the same

Why nothing is done twice, whatever dies
========================================
- **One at a time**: a key is claimed by one INSERT ... ON CONFLICT, under a number of its own (`attempt`)
  and a lease that is renewed while the request runs. All times are the database's.
- **The change and its mark are one transaction** (`core.database.transaction`): the row is marked `committed`
  by the last statement before COMMIT, and only if the key still belongs to that attempt. An attempt that
  lost its key, because it hung for longer than its lease, therefore commits nothing any more.
- **A commit of which nobody knows** holds the row's lock: whoever claims the key waits for its outcome.
- **The answer is stored after the commit**, because only the route makes it. A process that dies in between
  leaves a row that says "committed": later requests are told so instead of being carried out again.

An answer of 2xx is stored before it is sent. One of 4xx has changed nothing: the key is free again, and so
it is after a 5xx, unless a change was committed. Work that a request leaves behind (a job) has its own
guarantees.
"""

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from core.database.client import Database
from core.errors import Conflict, Unavailable
from core.jobs.kinds import pruning

KEPT_S: Final = 24 * 3600.0
LEASE_S: Final = 30.0
RENEWED_EVERY_S: Final = 10.0
_TRIES: Final = 5
_LOST: Final = (
    "The request with this Idempotency-Key was carried out, but its answer was lost: look at what it has "
    "changed before you repeat it with another key"
)

# Every change names its attempt; times are the database's.
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

log = structlog.get_logger("handover.idempotency")

_DELETE_EXPIRED: Final = """
DELETE FROM idempotency_keys WHERE expires_at < clock_timestamp() AND lease_expires_at < clock_timestamp()
"""
PRUNE: Final = pruning(
    "idempotency.prune", timedelta(hours=1), lambda context: context.db.execute_raw(_DELETE_EXPIRED)
)


class KeyHeld(Conflict, code="idempotency.key_held"):
    """The key is in use, or was used for another request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that the client got, and the hash and size in bytes of the body that it answered. Header
    values are text as HTTP has it (Latin-1).
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request_hash: str
    request_bytes: int


class Claim:
    """Claim on a key, from `take` until the response is stored or the request has failed."""

    def __init__(self, db: Database, key_id: str) -> None:
        self._db = db
        self._id = key_id
        self._attempt = str(uuid4())
        self._renewing: asyncio.Task[None] | None = None
        self._over = False

    async def take(self) -> Answer | None:
        """Claim the key: None on success, else the answer to an earlier request. Raises KeyHeld while that
        one runs, and Conflict when its answer was lost.
        """
        for _ in range(_TRIES):
            if await self._db.query_raw(_CLAIM, self._id, self._attempt, LEASE_S, KEPT_S):
                self._renewing = asyncio.create_task(self._renew(), name="idempotency lease")
                return None
            for row in await self._db.query_raw(_READ, self._id):
                if row["running"]:
                    message = "A request with this Idempotency-Key is being carried out; send it again soon"
                    raise KeyHeld(message, retry_after=1)
                if row["status"] is None:
                    raise Conflict(_LOST, code="idempotency.answer_lost")
                headers = tuple((name, value) for name, value in json.loads(row["headers"]))
                body = base64.b64decode(row["answer"])
                return Answer(row["status"], headers, body, row["body_hash"], int(row["body_bytes"]))
        raise Unavailable("Too many requests use this Idempotency-Key at once; try again in a moment")

    async def mark(self, tx: Database) -> None:
        """The commit hook of the request's transactions; not of work that goes on after the answer."""
        if not self._over and await tx.execute_raw(_MARK, self._id, self._attempt) != 1:
            message = "Another request with this Idempotency-Key has taken over; nothing was changed"
            raise Conflict(message, code="idempotency.key_taken")

    async def store(self, answer: Answer) -> None:
        """Store the response. If that fails the client still gets it: only a repetition would not."""
        self.end()
        request = (answer.request_hash, answer.request_bytes)
        headers, body = json.dumps(answer.headers), base64.b64encode(answer.body).decode()
        try:
            await self._change(_STORE, *request, answer.status, headers, body)
        except Exception:  # the change was made, and its answer goes out
            log.exception("idempotency.answer_not_kept")

    async def give_up(self, *, changed_nothing: bool) -> None:
        """Release the key, at once if it is known that nothing was changed, else unless something was."""
        self.end()
        # Without a database the lease runs out by itself.
        with suppress(Unavailable):
            await self._change(_GIVE_UP, not changed_nothing)

    def end(self) -> None:
        """Stop renewing the lease."""
        self._over = True
        if self._renewing is not None:
            self._renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            with suppress(Unavailable):
                await self._change(_RENEW, LEASE_S)

    async def _change(self, statement: str, *arguments: object) -> None:
        await self._db.execute_raw(statement, self._id, self._attempt, *arguments)
