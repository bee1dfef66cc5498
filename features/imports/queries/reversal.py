"""Reversal of imports: rows that an import inserted are deleted, rows that it overwrote are restored.

A row tells by itself who wrote it last: `import_job_id` and `import_version`, the version which that import
left. Whoever changes the row raises its version only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.client import Database
from core.database.import_table import ImportTable
from core.database.transaction import unaudited
from features.imports.errors import SomebodyWasQuicker
from features.imports.queries.references import Conflict, Reference

Images = Mapping[str, str]
"""Rows as they were before an import overwrote them, or as one left them, by id: JSON text of all columns."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Row that is not as the import left it: `gone`, `foreign` (another row has its id, or another import
    overwrote it: `import_job_id`), or `changed` by somebody.
    """

    id: str
    what: Literal["gone", "foreign", "changed"]
    import_job_id: str | None


class ReversibleTable:
    """The statements that take back what an import did to one table."""

    def __init__(self, declared: ImportTable) -> None:
        self.declared = declared
        self.name, self.entity, table = declared.name, declared.entity, declared.name
        self._unique, version = declared.unique, str(declared.version)
        held = f"SELECT * FROM {table} WHERE id = ANY({{}}::text[]) ORDER BY id FOR UPDATE"
        self._before = f"SELECT id, row_to_json(held)::text AS row FROM ({held.format('$1')}) AS held"
        aside = ", ".join((version, "import_job_id", "import_version", "updated_at", *declared.counters))
        # What a foreign key emptied, when what it refers to went, nobody has changed.
        emptied = f"""
            SELECT attname::text FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
            WHERE conrelid = '{table}'::regclass AND contype = 'f' AND confdeltype = 'n'
                AND to_jsonb(held) -> attname::text = 'null'
                AND held.updated_at IS NOT DISTINCT FROM was.updated_at"""
        self._moved = f"""
            SELECT source.id, held.import_job_id::text AS import_job_id,
                CASE WHEN held.id IS NULL THEN 'gone'
                WHEN held.import_job_id IS DISTINCT FROM $1::uuid THEN 'foreign' ELSE 'changed' END AS what
            FROM unnest($2::text[]) AS source(id)
            LEFT JOIN ({held.format("$2")}) AS held ON held.id = source.id
            LEFT JOIN (SELECT was.* FROM unnest($3::json[]) AS image,
                json_populate_record(NULL::{table}, image) AS was) AS was ON was.id = source.id
            WHERE held.id IS NULL OR held.import_job_id IS DISTINCT FROM $1::uuid
                OR held.{version} <> held.import_version AND (
                    SELECT to_jsonb(held) - aside IS DISTINCT FROM to_jsonb(was) - aside
                    FROM (SELECT '{{{aside}}}'::text[] || ARRAY({emptied}) AS aside) AS names)"""
        names = [name for name in declared.columns if name != "id"]
        # The version goes on: a row never has two contents under one. Unchanged since an earlier import, it
        # stays so.
        self._restore = f"""
            UPDATE {table} SET {", ".join(f"{name} = old.{name}" for name in names)},
                {version} = {table}.{version} + 1, import_job_id = old.import_job_id,
                import_version = CASE WHEN old.{version} = old.import_version
                    THEN {table}.{version} + 1 ELSE old.import_version END
            FROM unnest($2::json[]) AS image, json_populate_record(NULL::{table}, image) AS old
            WHERE {table}.id = old.id AND {table}.import_job_id = $1::uuid"""
        self._delete = f"DELETE FROM {table} WHERE id = ANY($2::text[]) AND import_job_id = $1::uuid"

    async def before(self, tx: Database, ids: Sequence[str]) -> Images:
        """Images of the rows among these that exist, which are locked until the transaction ends."""
        return {row["id"]: row["row"] for row in await tx.query_raw(self._before, list(ids))}

    async def moved(self, tx: Database, job_id: str, ids: Sequence[str], left: Images) -> list[Moved]:
        """Rows among these that are not any more as the job left them; the others are locked. `left` are the
        images that the job left of rows which somebody has changed: with the same content again they are as
        they were.
        """
        rows = await tx.query_raw(self._moved, job_id, list(ids), list(left.values()))
        return [Moved(**row) for row in rows]

    async def conflicts(self, tx: Database, images: Images, known: Sequence[Reference]) -> list[Conflict]:
        """Overwritten rows that cannot become what they were: what they belonged to is gone, or what only
        they had is another's.
        """
        found = [
            f"SELECT source.id, 'belonged to ' || {each.value} || ', which is gone' AS what "
            f"FROM old AS source WHERE {each.present} "
            f"AND NOT EXISTS (SELECT FROM {each.target} AS target WHERE {each.condition})"
            for each in known
            if each.source == self.name
        ] + [
            f"SELECT old.id, 'had the {name} ' || old.{name} || ', which ' || other.id || ' has now' AS what "
            f"FROM old JOIN {self.name} AS other ON other.{name} = old.{name} AND other.id <> old.id"
            for name in self._unique
        ]
        if not images or not found:
            return []
        statement = (
            f"WITH old AS MATERIALIZED (SELECT was.* FROM unnest($1::json[]) AS image, "
            f"json_populate_record(NULL::{self.name}, image) AS was) "
            f"SELECT id, min(what) AS what FROM ({' UNION ALL '.join(found)}) AS found GROUP BY id"
        )
        return [Conflict(**row) for row in await tx.query_raw(statement, list(images.values()))]

    async def take_back(
        self, tx: Database, job_id: str, inserted: Sequence[str], images: Images
    ) -> tuple[int, int]:
        """Delete the job's rows that it inserted, restore those that have an image; returns how many. Raises
        SomebodyWasQuicker; the transaction is over then.
        """
        await unaudited(tx, self.name)
        deleted = await tx.execute_raw(self._delete, job_id, list(inserted)) if inserted else 0
        try:
            restored = await tx.execute_raw(self._restore, job_id, list(images.values())) if images else 0
        except (UniqueViolationError, ForeignKeyViolationError):
            raise SomebodyWasQuicker from None
        return deleted, restored
