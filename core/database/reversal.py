"""Tables whose imports can be taken back: rows that an import inserted go, rows that it overwrote become what
they were.

A row tells by itself who wrote it last: `import_job_id` and `import_version`, the version which that import
left. Whoever changes the row raises its version only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.bulk import SomebodyWasQuicker
from core.database.client import Database


@dataclass(frozen=True, slots=True)
class BeforeImage:
    """A row before an import overwrote it; `row` is JSON text of all its columns."""

    id: str
    row: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a row cannot be taken back; `what` says what happened to it since, for people."""

    id: str
    what: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    deleted: int
    restored: int


class ReversibleTable:
    """One table with `id`, `import_job_id`, `import_version`, a version column and the given columns.

    `links`: the columns that hold the id of a row of another table, by whose end they become null; with that
    table. `unique`: the columns of which no two rows may say the same.
    """

    def __init__(
        self,
        table: str,
        columns: Iterable[str],
        *,
        version: str = "row_version",
        links: Mapping[str, str] | None = None,
        unique: Iterable[str] = (),
    ) -> None:
        self._table = table
        self._links = dict(links or {})
        held = f"SELECT * FROM {table} WHERE id = ANY({{}}::text[]) ORDER BY id FOR UPDATE"
        self._before = f"SELECT id, row_to_json(held)::text AS row FROM ({held.format('$1')}) AS held"
        self._obstacles = f"""
            SELECT source.id, CASE WHEN held.id IS NULL THEN 'was deleted'
                WHEN held.import_job_id IS DISTINCT FROM $1::uuid
                    THEN 'was overwritten by import ' || coalesce(held.import_job_id::text, '?')
                ELSE 'was changed' END AS what
            FROM unnest($2::text[]) AS source(id)
            LEFT JOIN ({held.format("$2")}) AS held ON held.id = source.id
            WHERE held.id IS NULL OR held.import_job_id IS DISTINCT FROM $1::uuid
                OR held.{version} <> held.import_version"""
        names = [name for name in columns if name != "id"]
        # The version goes on: a row never has two contents under one. Unchanged since an earlier import, it
        # stays so.
        self._restore = f"""
            UPDATE {table} SET {", ".join(f"{name} = old.{name}" for name in names)},
                {version} = {table}.{version} + 1, import_job_id = old.import_job_id,
                import_version = CASE WHEN old.{version} = old.import_version
                    THEN {table}.{version} + 1 ELSE old.import_version END
            FROM unnest($1::json[]) AS image, json_populate_record(NULL::{table}, image) AS old
            WHERE {table}.id = old.id"""
        self._delete = f"DELETE FROM {table} WHERE id = ANY($1::text[])"
        hindrances = [
            f"SELECT old.id, 'belonged to ' || old.{name} || ', which is gone' AS what FROM old "
            f"WHERE old.{name} IS NOT NULL AND NOT EXISTS (SELECT FROM {target} WHERE id = old.{name})"
            for name, target in self._links.items()
        ] + [
            f"SELECT old.id, 'had the {name} ' || old.{name} || ', which ' || other.id || ' has now' AS what "
            f"FROM old JOIN {table} AS other ON other.{name} = old.{name} AND other.id <> old.id"
            for name in unique
        ]
        self._hindrances = (
            f"WITH old AS MATERIALIZED (SELECT was.* FROM unnest($1::json[]) AS image, "
            f"json_populate_record(NULL::{table}, image) AS was) "
            f"SELECT id, min(what) AS what FROM ({' UNION ALL '.join(hindrances)}) AS found GROUP BY id"
            if hindrances
            else None
        )

    async def before(self, tx: Database, ids: Sequence[str]) -> list[BeforeImage]:
        """Those of the rows that exist, held until the transaction ends."""
        return [BeforeImage(**row) for row in await tx.query_raw(self._before, list(ids))]

    async def obstacles(self, tx: Database, job_id: str, ids: Sequence[str]) -> list[Obstacle]:
        """Those of the rows that are not any more as the job left them; the others are held."""
        return [Obstacle(**row) for row in await tx.query_raw(self._obstacles, job_id, list(ids))]

    async def hindrances(self, tx: Database, images: Sequence[BeforeImage]) -> list[Obstacle]:
        """Those of the overwritten rows that cannot become what they were: what they belonged
        to is gone, or what only they had is another's.
        """
        if not images or self._hindrances is None:
            return []
        rows = [image.row for image in images]
        return [Obstacle(**row) for row in await tx.query_raw(self._hindrances, rows)]

    async def dependents(
        self, tx: Database, job_id: str, target: "ReversibleTable", ids: Sequence[str]
    ) -> list[Obstacle]:
        """The rows, of others than the job, that belong to these rows of `target`. No more can come when
        those are held.
        """
        found: list[Obstacle] = []
        for name in (name for name, table in self._links.items() if table == target._table):
            statement = (
                f"SELECT id, 'belongs to ' || {name} || ', which the import brought' AS what "
                f"FROM {self._table} WHERE {name} = ANY($2::text[]) "
                "AND import_job_id IS DISTINCT FROM $1::uuid ORDER BY id"
            )
            found += [Obstacle(**row) for row in await tx.query_raw(statement, job_id, list(ids))]
        return found

    async def take_back(self, tx: Database, ids: Sequence[str], images: Sequence[BeforeImage]) -> TakenBack:
        """Rows that have an image become what it says, the other ones go. Raises SomebodyWasQuicker; the
        transaction is over then.
        """
        overwritten = {image.id for image in images}
        inserted = [row_id for row_id in ids if row_id not in overwritten]
        deleted = await tx.execute_raw(self._delete, inserted) if inserted else 0
        rows = [image.row for image in images]
        try:
            restored = await tx.execute_raw(self._restore, rows) if rows else 0
        except (UniqueViolationError, ForeignKeyViolationError):
            raise SomebodyWasQuicker from None
        return TakenBack(deleted, restored)
