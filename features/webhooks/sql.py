"""SQL of webhooks that Prisma cannot say: locks, the first of each row, the first so many of each webhook,
and outcomes as one batch. All moments are the database's.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from core.database.client import Database
from features.webhooks.schemas import Due, Moved, Outcome, State, WebhookHealth

# $1 from, $2 to. Locked until the transaction ends, so that none is deleted or changed meanwhile. One with an
# earlier position was turned on a moment ago.
_MOVE: Final = """
UPDATE webhooks SET position = $2::bigint
FROM (SELECT id, position FROM webhooks WHERE active AND position >= $1::bigint AND position < $2::bigint
    ORDER BY id FOR NO KEY UPDATE) AS before
WHERE webhooks.id = before.id
RETURNING webhooks.id, before.position AS was, webhooks.entity, webhooks.entity_id, webhooks.action
"""
# $1 deliveries. Of each of their rows the first one that waits is due, unless it has been before.
_RELEASE: Final = """
UPDATE webhook_deliveries SET next_attempt_at = now()
WHERE next_attempt_at IS NULL AND id IN (
    SELECT first.id FROM (
        SELECT DISTINCT webhook_id, entity, entity_id FROM webhook_deliveries WHERE id = ANY ($1::text[])
    ) AS touched, LATERAL (
        SELECT id FROM webhook_deliveries AS delivery
        WHERE (delivery.webhook_id, delivery.entity, delivery.entity_id)
            = (touched.webhook_id, touched.entity, touched.entity_id) AND state = 'waiting'
        ORDER BY position LIMIT 1
    ) AS first)
"""
# $1 deliveries that are under way, $2 [{id, room}] of webhooks that have another room than $3.
_DUE: Final = """
SELECT due.id, webhook_id, body, attempts, url, secret,
    CASE WHEN rotated_at > now() - interval '24 hours' THEN previous_secret END AS previous_secret
FROM webhooks
LEFT JOIN jsonb_to_recordset($2::jsonb) AS given(id text, room int) ON given.id = webhooks.id,
LATERAL (
    SELECT id, webhook_id, body, attempts FROM webhook_deliveries
    WHERE webhook_id = webhooks.id AND state = 'waiting' AND next_attempt_at <= now()
        AND id <> ALL ($1::text[])
    ORDER BY next_attempt_at, position LIMIT coalesce(room, $3::int)
) AS due
WHERE active
"""
# $1 outcomes, $2 seconds after the first attempt at which the last one is made.
_RECORD: Final = """
WITH judged AS (
    SELECT id, given.status, given.error, given.delay_s, coalesce(first_attempt_at, now()) AS first, CASE
        WHEN delivered THEN 'delivered'
        WHEN first_attempt_at <= now() - make_interval(secs => $2::float8) THEN 'dead'
        ELSE 'waiting' END AS state
    FROM jsonb_to_recordset($1::jsonb)
        AS given(id text, delivered boolean, status int, error text, delay_s float8)
    JOIN webhook_deliveries USING (id)
)
UPDATE webhook_deliveries AS delivery SET state = judged.state, attempts = attempts + 1,
    last_status = judged.status, last_error = judged.error,
    first_attempt_at = judged.first, last_attempt_at = now(),
    next_attempt_at = CASE judged.state WHEN 'waiting' THEN least(
        now() + make_interval(secs => judged.delay_s), judged.first + make_interval(secs => $2::float8)) END,
    ended_at = CASE judged.state WHEN 'waiting' THEN NULL ELSE now() END
FROM judged WHERE delivery.id = judged.id
RETURNING delivery.id, delivery.state
"""
# $1 webhook. Those that are due, or will be, end after this transaction: what then follows sees what it did.
_HOLD: Final = """
SELECT id FROM webhook_deliveries
WHERE webhook_id = $1 AND state = 'waiting' AND next_attempt_at IS NOT NULL AND (entity, entity_id) IN (
    SELECT entity, entity_id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'dead')
ORDER BY id FOR UPDATE
"""
# $1 webhook, $2 most.
_REVIVE: Final = """
UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, first_attempt_at = NULL, ended_at = NULL
WHERE state = 'dead' AND id IN (
    SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'dead'
    ORDER BY position LIMIT $2::int)
RETURNING id
"""
# Only the first delivery of a row is tried, so those that fail are as many as rows, not as changes.
_HEALTH: Final = """
SELECT webhook_id,
    (count(*) FILTER (WHERE state = 'waiting'))::int AS waiting,
    (count(*) FILTER (WHERE state = 'dead'))::int AS dead,
    min(first_attempt_at) FILTER (WHERE state = 'waiting' AND attempts > 0) AS failing_since,
    min(next_attempt_at) FILTER (WHERE state = 'waiting' AND attempts > 0) AS next_attempt_at,
    (array_agg(last_error ORDER BY last_attempt_at DESC)
        FILTER (WHERE state = 'waiting' AND attempts > 0))[1] AS last_error
FROM webhook_deliveries WHERE state IN ('waiting', 'dead') GROUP BY webhook_id ORDER BY webhook_id
"""


async def move(tx: Database, start: int, end: int) -> list[Moved]:
    """Move active webhooks from between the positions to the last one; they stay locked."""
    rows = await tx.query_raw(_MOVE, start, end)
    return [Moved(**{**row, "was": int(row["was"])}) for row in rows]


async def release(tx: Database, touched: Collection[str]) -> None:
    """Make the first waiting delivery of each of their rows due."""
    await tx.execute_raw(_RELEASE, list(touched))


async def health(db: Database) -> list[WebhookHealth]:
    """Health of webhooks for which deliveries wait, or are dead."""
    return [WebhookHealth.model_validate(row) for row in await db.query_raw(_HEALTH)]


async def find_due(
    db: Database, under_way: Collection[str], rooms: Mapping[str, int], *, room: int
) -> list[Due]:
    """Due deliveries of active webhooks, so many of each as it has room for."""
    given = json.dumps([{"id": webhook_id, "room": number} for webhook_id, number in rooms.items()])
    return [Due(**row) for row in await db.query_raw(_DUE, list(under_way), given, room)]


async def record(tx: Database, outcomes: Sequence[Outcome], *, retry_s: float) -> dict[str, State]:
    """Store how attempts have ended; returns the states by the id, without those of deleted webhooks."""
    given = json.dumps([asdict(outcome) for outcome in outcomes])
    return {row["id"]: row["state"] for row in await tx.query_raw(_RECORD, given, retry_s)}


async def revive(tx: Database, webhook_id: str, *, most: int) -> int:
    """Make dead deliveries of a webhook wait again, the oldest first; returns how many. The first one of each
    row is due, unless an earlier one waits already.
    """
    await tx.query_raw(_HOLD, webhook_id)
    revived = [row["id"] for row in await tx.query_raw(_REVIVE, webhook_id, most)]
    await release(tx, revived)
    return len(revived)
