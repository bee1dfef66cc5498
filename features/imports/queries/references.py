"""References between rows: the foreign keys that PostgreSQL's catalog (pg_constraint) knows, so that tables
of which nobody here knows count too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.database.client import Database

# Of a partitioned table's constraints, those of the partitions only repeat its own. What writes the audit
# entries of a table is called after their entity.
_REFERENCES: Final = """
SELECT conrelid::regclass::text AS source, confrelid::regclass::text AS target,
    string_agg(format('source.%I = target.%I', held.attname, meant.attname), ' AND ') AS condition,
    string_agg(format('source.%I IS NOT NULL', held.attname), ' AND ') AS present,
    format('concat_ws('', '', %s)', string_agg(format('source.%I', held.attname), ', ')) AS value,
    coalesce((
        SELECT replace(proname, 'handover_audit_', '') FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = conrelid AND tgname = 'audited_insert'
    ), conrelid::regclass::text) AS entity
FROM pg_constraint, unnest(conkey, confkey) AS pair(held_number, meant_number)
JOIN pg_attribute AS held ON held.attnum = held_number
JOIN pg_attribute AS meant ON meant.attnum = meant_number
WHERE contype = 'f' AND conparentid = 0 AND held.attrelid = conrelid AND meant.attrelid = confrelid
GROUP BY pg_constraint.oid, conrelid, confrelid ORDER BY conrelid::regclass::text, conname
"""


_ID: Final = "coalesce(to_jsonb(source) ->> 'id', source.ctid::text)"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that cannot be taken back; `what` says what happened to it since, for people."""

    id: str
    what: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key. The others are SQL about a row of `source` and one of `target`, by these names:
    `condition` (the one refers to the other), `present` (the former refers to any), `value` (what it says).
    `entity` is what audit entries call a row of `source`; its table's name if there are none.
    """

    source: str
    target: str
    condition: str
    present: str
    value: str
    entity: str


async def references(db: Database) -> list[Reference]:
    """Every foreign key of the database."""
    return [Reference(**row) for row in await db.query_raw(_REFERENCES)]


async def holders(tx: Database, reference: Reference, job_id: str, ids: Sequence[str]) -> list[Conflict]:
    """Conflicts of the job's rows with these ids to which any row refers by the reference."""
    what = f"min('has what belongs to it: ' || {_ID}) AS what"
    return await _linked(tx, reference, job_id, ids, f"target.id, {what}", "GROUP BY target.id")


async def dependents(
    tx: Database, reference: Reference, job_id: str, ids: Sequence[str], *, reversible: bool
) -> list[Conflict]:
    """The rows that refer to the job's rows with these ids, of the reference's target; if those of its source
    are `reversible`, without the job's own. No more can come when the targets are held. Whatever the
    constraint does to such a row when the other goes, its owner loses something: ON DELETE is no excuse.
    """
    what = "'belongs to ' || target.id || ', which the import brought' AS what"
    others = "AND source.import_job_id IS DISTINCT FROM $1::uuid" if reversible else ""
    return await _linked(tx, reference, job_id, ids, f"{_ID} AS id, {what}", others)


async def _linked(
    tx: Database, reference: Reference, job_id: str, ids: Sequence[str], select: str, rest: str
) -> list[Conflict]:
    statement = (
        f"SELECT {select} FROM {reference.source} AS source "
        f"JOIN {reference.target} AS target ON {reference.condition} "
        f"WHERE target.id = ANY($2::text[]) AND target.import_job_id = $1::uuid {rest} ORDER BY 1"
    )
    return [Conflict(**row) for row in await tx.query_raw(statement, job_id, list(ids))]
