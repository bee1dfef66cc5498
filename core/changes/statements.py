"""SQL of the log of changes: Prisma knows neither snapshots nor transaction ids."""

from typing import Final

# The first look of a life. Lines with ids up to `floor` are of transactions of an earlier life.
BEGIN: Final = """
SELECT json_build_object('snapshot', pg_current_snapshot()::text, 'log', to_regclass('changes')::oid::text,
    'is_standby', pg_is_in_recovery(), 'floor', (SELECT coalesce(max(id), 0)::text FROM changes
        WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()))) AS seen
"""
# $1 the snapshot of the last look, $2 the floor. What $1 could not see, by the index of xid. That lines were
# deleted only matters where the newest of them is not of a transaction that $1 saw, as it then saw them all.
LOOK: Final = """
WITH lines AS (
    SELECT * FROM changes WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) UNION ALL
    SELECT * FROM changes WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))))
SELECT json_build_object('snapshot', pg_current_snapshot()::text, 'log', to_regclass('changes')::oid::text,
    'lines', (SELECT coalesce(json_agg(json_build_array(origin, model, operation, row_id, fields)), '[]')
        FROM lines WHERE id + 0 > $2::bigint AND CASE model WHEN 'Change'
            THEN coalesce(row_id::xid8 >= pg_snapshot_xmin($1::pg_snapshot), true) ELSE true END)) AS seen
"""
# $1 seconds, $2 lines: the oldest of them that are old enough.
DELETE: Final = """
DELETE FROM changes WHERE id IN (SELECT id FROM changes ORDER BY id LIMIT $2::int)
    AND at < clock_timestamp() - make_interval(secs => $1::float8)
"""
