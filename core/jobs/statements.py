"""SQL of the job runner: each change of a job, its fence and its numbered event are one statement.

One statement is one transaction, so a job can never have changed without its event or the other way round,
and the row's lock numbers the events without gaps even when several processes write them. A reader that has
seen event n has not missed an earlier one: n+1 can only be written after n was committed. All times are the
database's.
"""

WRITABLE = "SELECT 1 FROM jobs WHERE false FOR UPDATE"
"""Query that locks nothing, but that a read-only database refuses."""

SNAPSHOT = """jsonb_build_object(
    'state', state, 'phase', phase, 'done', done, 'total', total, 'rejected', rejected, 'attempts', attempts,
    'cancel_requested', cancel_requested, 'rate', {rate}, 'seconds_left', {seconds_left},
    'result', result, 'error', error, 'started_at', started_at, 'finished_at', finished_at)"""


def _with_event(
    change: str, kind: str, *, rate: str = "NULL::float8", seconds_left: str = "NULL::float8"
) -> str:
    """Statement of a change of one job (it has to raise `last_event`), and of the event about it."""
    snapshot = SNAPSHOT.format(rate=rate, seconds_left=seconds_left)
    return f"""
WITH changed AS ({change}
    RETURNING *),
logged AS (
    INSERT INTO job_events (job_id, sequence, kind, data, at)
    SELECT id, last_event, {kind}, {snapshot}, clock_timestamp() FROM changed)
SELECT * FROM changed"""


# $1 id, $2 kind, $3 arguments, $4 exclusive key, $5 actor, $6 request id, $7 seconds until others may take
# it, $8 place, $9 trace context
ENQUEUE = _with_event(
    """
    INSERT INTO jobs (
        id, kind, arguments, exclusive_key, actor, request_id, place, traceparent, last_event,
        lease_expires_at)
    VALUES ($1::uuid, $2, $3::jsonb, $4, $5, $6, $8::uuid, $9, 1,
        clock_timestamp() + make_interval(secs => $7::float8))
    ON CONFLICT (exclusive_key) DO NOTHING""",
    "'state'",
)

_CLAIM = """
    UPDATE jobs SET state = 'running', attempts = attempts + 1, fencing_token = fencing_token + 1,
        lease_owner = $1, lease_expires_at = clock_timestamp() + make_interval(secs => $2::float8),
        started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp(),
        last_event = last_event + 1"""

# No lease is ever so long: one that ends later was written before the database's clock was set back.
_EXPIRED = "(lease_expires_at < now() OR lease_expires_at > now() + interval '1 hour')"

_RUNNABLE = "kind = ANY($3::text[]) AND (place IS NULL OR place = $4::uuid)"

# $1 owner, $2 lease seconds, $3 kinds, $4 place, $5 id. A queued job is free whatever its pick-up time says.
CLAIM = _with_event(
    f"""{_CLAIM}
    WHERE id = $5::uuid AND {_RUNNABLE}
        AND (state = 'queued' OR (state = 'running' AND {_EXPIRED}))""",
    "'state'",
)

# $1 owner, $2 lease seconds, $3 kinds, $4 place. Waiters skip a row that another process is claiming.
CLAIM_NEXT = _with_event(
    f"""{_CLAIM}
    WHERE id = (
        SELECT id FROM jobs
        WHERE state IN ('queued', 'running') AND {_EXPIRED} AND {_RUNNABLE}
        ORDER BY lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)""",
    "'state'",
)

# $1 id, $2 the owner of a lease who is known to be dead. From then on the job can be claimed.
EXPIRE_LEASE = f"""
UPDATE jobs SET lease_expires_at = least(lease_expires_at, clock_timestamp()) WHERE id = $1::uuid
    AND state IN ('queued', 'running') AND ({_EXPIRED} OR lease_owner = $2) RETURNING *"""

_OURS = "id = $1::uuid AND fencing_token = $2::int AND state = 'running'"

# $1 id, $2 token, $3 lease seconds
RENEW = f"""
UPDATE jobs SET lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8)
WHERE {_OURS} RETURNING *"""

# $1 id, $2 owner, $3 lease seconds. Waits for a transaction of the failed attempt that may still be
# committing, and fences whatever is left of it: the checkpoint that comes back is final. Asks for the owner,
# not the token, so that it can be repeated when its answer got lost.
RETRY = _with_event(
    """
    UPDATE jobs SET attempts = attempts + 1, fencing_token = fencing_token + 1,
        lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8),
        updated_at = clock_timestamp(), last_event = last_event + 1
    WHERE id = $1::uuid AND lease_owner = $2 AND state = 'running'""",
    "'state'",
)

# $1 id, $2 token, $3 phase, $4 done, $5 total, $6 rejected, $7 event kind, $8 rate, $9 seconds left
ADVANCE = _with_event(
    f"""
    UPDATE jobs SET phase = coalesce($3, phase), done = coalesce($4::int, done),
        total = coalesce($5::int, total), rejected = coalesce($6::int, rejected),
        updated_at = clock_timestamp(), last_event = last_event + 1
    WHERE {_OURS}""",
    "$7",
    rate="$8::float8",
    seconds_left="$9::float8",
)

# $1 id, $2 token, $3 checkpoint, $4 done, $5 rejected. A new checkpoint is progress: attempts are counted
# from there.
CHECKPOINT = f"""
UPDATE jobs SET checkpoint = $3::jsonb, done = coalesce($4::int, done),
    rejected = coalesce($5::int, rejected),
    attempts = CASE WHEN checkpoint IS DISTINCT FROM $3::jsonb THEN 1 ELSE attempts END,
    updated_at = clock_timestamp()
WHERE {_OURS} RETURNING *"""

# $1 id, $2 token, $3 state, $4 result, $5 error, $6 done, $7 total, $8 rejected
FINISH = _with_event(
    f"""
    UPDATE jobs SET state = $3, result = $4::jsonb, error = $5, done = coalesce($6::int, done),
        total = coalesce($7::int, total), rejected = coalesce($8::int, rejected), exclusive_key = NULL,
        lease_owner = NULL, lease_expires_at = NULL, finished_at = clock_timestamp(),
        updated_at = clock_timestamp(), last_event = last_event + 1
    WHERE {_OURS}""",
    "'state'",
)

# $1 id, $2 token. Free for everybody at once, and the attempt does not count.
HAND_BACK = _with_event(
    f"""
    UPDATE jobs SET state = 'queued', lease_owner = NULL, attempts = greatest(attempts - 1, 0),
        lease_expires_at = clock_timestamp(), updated_at = clock_timestamp(), last_event = last_event + 1
    WHERE {_OURS}""",
    "'state'",
)

# $1 id. A queued job ends at once; a running one is told to stop, once.
CANCEL = _with_event(
    """
    UPDATE jobs SET cancel_requested = true,
        state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
        exclusive_key = CASE state WHEN 'queued' THEN NULL ELSE exclusive_key END,
        lease_expires_at = CASE state WHEN 'queued' THEN NULL ELSE lease_expires_at END,
        finished_at = CASE state WHEN 'queued' THEN clock_timestamp() END,
        updated_at = clock_timestamp(), last_event = last_event + 1
    WHERE id = $1::uuid AND (state = 'queued' OR (state = 'running' AND NOT cancel_requested))""",
    "CASE state WHEN 'cancelled' THEN 'state' ELSE 'cancel' END",
)

# $1 kind, $2 name of an argument, $3 its values
ABOUT = """
SELECT * FROM jobs WHERE kind = $1 AND arguments ->> $2 = ANY($3::text[]) ORDER BY created_at, id"""

SET_CLOCKS = """
INSERT INTO job_clocks (kind, next_at)
SELECT kind, now() + make_interval(secs => seconds)
FROM unnest($1::text[], $2::float8[]) AS given(kind, seconds)
ON CONFLICT (kind) DO UPDATE SET next_at = excluded.next_at WHERE job_clocks.next_at > excluded.next_at"""

CLOCKS_DUE = "SELECT kind, next_at <= now() AS due FROM job_clocks WHERE kind = ANY($1::text[])"

MOVE_CLOCK = """
UPDATE job_clocks SET next_at = now() + make_interval(secs => $2::float8)
WHERE kind = $1 AND next_at <= now()"""

# The first condition is the one that an index can jump to.
DELETE_ENDED = """
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs
    WHERE created_at < now() - make_interval(days => $1::int)
        AND finished_at < now() - make_interval(days => $1::int) AND kind <> ALL($2::text[])
    ORDER BY created_at, id DESC LIMIT $3::int)"""
