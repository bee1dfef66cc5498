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

from core.idempotency.claim import PRUNE, Answer, Claim, KeyHeld

__all__ = ["PRUNE", "Answer", "Claim", "KeyHeld"]
