"""The claim of a request on its key."""

import asyncio
from contextlib import suppress
from typing import Final
from uuid import uuid4

import structlog

from core.database.client import Database
from core.errors import Conflict, Unavailable
from core.idempotency import queries
from core.idempotency.queries import Answer, Held

KEPT_S: Final = 24 * 3600.0
LEASE_S: Final = 30.0
RENEWED_EVERY_S: Final = 10.0
_TRIES: Final = 5

log = structlog.get_logger("handover.idempotency")


class KeyHeld(Conflict):
    """The key is in use, or was used for another request."""

    code = "idempotency.key_held"


class AnswerLost(Conflict):
    """The request was carried out, by a process that died before it could store the response."""

    code = "idempotency.answer_lost"


class KeyTaken(Conflict):
    """This request was out of touch for longer than its lease, and another one has taken over the key."""

    code = "idempotency.key_taken"


class Claim:
    """Claim on a key, from `take` until the response is stored or the request has failed."""

    def __init__(self, db: Database, key_id: str) -> None:
        self._db = db
        self._id = key_id
        self._attempt = str(uuid4())
        self._renewing: asyncio.Task[None] | None = None
        self._over = False

    async def take(self) -> Held | None:
        """Claim the key: None on success, else what an earlier request has stored. Raises KeyHeld while that
        one runs, and AnswerLost.
        """
        for _ in range(_TRIES):
            if await queries.claim(self._db, self._id, self._attempt, lease_s=LEASE_S, keep_s=KEPT_S):
                self._renewing = asyncio.create_task(self._renew(), name="idempotency lease")
                return None
            held = await queries.read(self._db, self._id)
            if held is None:
                continue
            if held.running:
                raise KeyHeld("A request with this Idempotency-Key is being carried out", retry_after=1)
            if held.answer is None:
                raise AnswerLost(
                    "The request with this Idempotency-Key was carried out, but its answer was lost: look at "
                    "what it has changed before you repeat it with another key"
                )
            return held
        raise Unavailable("Too many requests use this Idempotency-Key at once; try again in a moment")

    async def mark(self, tx: Database) -> None:
        """The commit hook of the request's transactions; not of work that goes on after the answer."""
        if not self._over and not await queries.mark(tx, self._id, self._attempt):
            raise KeyTaken("Another request with this Idempotency-Key has taken over; nothing was changed")

    async def store(self, answer: Answer, *, body_hash: str, body_bytes: int) -> None:
        """Store the response. If that fails the client still gets it: only a repetition would not."""
        self.end()
        try:
            await queries.store(
                self._db, self._id, self._attempt, answer, body_hash=body_hash, body_bytes=body_bytes
            )
        except Exception:
            log.exception("idempotency.answer_not_kept")

    async def give_up(self, *, changed_nothing: bool) -> None:
        """Release the key, at once if it is known that nothing was changed, else unless something was."""
        self.end()
        # Without a database the lease runs out by itself.
        with suppress(Unavailable):
            await queries.give_up(self._db, self._id, self._attempt, keep_mark=not changed_nothing)

    def end(self) -> None:
        """Stop renewing the lease."""
        self._over = True
        if self._renewing is not None:
            self._renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            with suppress(Unavailable):
                await queries.renew(self._db, self._id, self._attempt, lease_s=LEASE_S)
