"""Tables that imports write in whole batches, and the comparison of their rows with what the source said.

`BulkTable.digest` computes a row's digest from the source's values, PostgreSQL from its own columns: only
differing rows are sent.
"""

import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

import orjson
from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.client import Database
from core.database.import_table import Difference, ImportTable, Kind, Row, Verdict, Written
from core.database.transaction import unaudited
from features.imports.errors import SomebodyWasQuicker
from features.imports.queries.digests import digest_of, digest_sql, text_of, value_sql

_IDS_AT_ONCE: Final = 10_000

_TYPES: Final[Mapping[Kind, str]] = {
    "text": "text",
    "integer": "int",
    "real": "float8",
    "flag": "boolean",
    "moment": "timestamptz",
    "texts": "text[]",
    "object": "jsonb",
    "verbatim": "text",
    "counter": "int",
    "key": "text",
}


class BulkTable:
    """The statements about batches of one table."""

    def __init__(self, declared: ImportTable) -> None:
        self._declared = declared
        table, merged = declared.name, declared.merged
        self._columns = columns = dict(declared.columns)
        names = ", ".join(columns)
        read = ", ".join(f"{name}::json" if kind == "verbatim" else name for name, kind in columns.items())
        insert = (
            f"INSERT INTO {table} ({names}, import_job_id, import_version) "
            f"SELECT {read}, $2::uuid, 1 FROM jsonb_to_recordset($1::jsonb) AS source({self._shape(columns)})"
        )
        self._insert = f"{insert} ON CONFLICT (id) DO NOTHING RETURNING id, true AS inserted"
        changed = [name for name in columns if name != "id"]
        sets = ", ".join(f"{name} = {merged.get(name, f'excluded.{name}')}" for name in changed)
        counted = [name for name in changed if columns[name] != "key"]
        before = ", ".join(_comparable(f"{table}.{name}", columns[name]) for name in counted)
        after = ", ".join(
            _comparable(merged.get(name, f"excluded.{name}"), columns[name]) for name in counted
        )
        self._overwrite = (
            f"{insert} ON CONFLICT (id) DO UPDATE SET {sets}, import_job_id = excluded.import_job_id, "
            f"row_version = {table}.row_version + 1, import_version = {table}.row_version + 1 "
            f"WHERE ({before}) IS DISTINCT FROM ({after}) RETURNING id, xmax = 0 AS inserted"
        )
        self._existing = (
            f"SELECT {table}.id FROM unnest($1::text[]) AS source(id) JOIN {table} ON {table}.id = source.id "
            "WHERE $2::uuid IS NULL OR import_job_id IS DISTINCT FROM $2::uuid"
        )
        self._counters = counters = declared.counters
        fewer = "".join(f" OR {table}.{name} < source.{name}" for name in counters)
        self._compare = (
            f"SELECT source.id, {table}.id IS NULL AS missing, import_job_id::text AS import_job_id, "
            f"row_version AS version, import_version FROM jsonb_to_recordset($1::jsonb) "
            f"AS source(id text, digest text{''.join(f', {name} int' for name in counters)}) "
            f"LEFT JOIN {table} ON {table}.id = source.id WHERE {table}.id IS NULL "
            f"OR {digest_sql(table, columns)} <> source.digest{fewer}"
        )
        self._content = {name: kind for name, kind in columns.items() if name not in declared.incidental}
        self._verdicts = f"""
            WITH source AS (SELECT * FROM jsonb_to_recordset($1::jsonb)
                AS source(id text, digest text, content text, known boolean, moved boolean)),
            held AS MATERIALIZED (
                SELECT id, {digest_sql(table, columns)} AS digest,
                    {digest_sql(table, self._content)} AS content,
                    row_version IS NOT DISTINCT FROM import_version AS as_imported
                FROM {table} WHERE id IN (SELECT id FROM source) ORDER BY id FOR UPDATE)
            SELECT source.id, CASE
                WHEN held.id IS NULL THEN
                    CASE WHEN NOT known THEN 'new' WHEN moved THEN 'deleted' ELSE 'same' END
                WHEN held.digest = source.digest THEN 'same'
                WHEN held.content = source.content AND NOT (moved AND as_imported) THEN 'same'
                WHEN as_imported THEN 'changed'
                WHEN NOT moved THEN 'same'
                WHEN known THEN 'edited' ELSE 'taken' END AS verdict
            FROM source LEFT JOIN held ON held.id = source.id"""
        more = ", ".join(f"{name} = greatest({table}.{name}, source.{name})" for name in counters)
        self._raise = (
            f"UPDATE {table} SET {more} FROM jsonb_to_recordset($1::jsonb) "
            f"AS source({self._shape({name: columns[name] for name in ('id', *counters)})}) "
            f"WHERE {table}.id = source.id AND (false{fewer})"
        )
        values = ", ".join(f"'{name}', {value_sql(name, kind)}" for name, kind in columns.items())
        self._rows = (
            f"SELECT json_agg(json_build_object({values}))::text FROM {table} WHERE id = ANY($1::text[])"
        )
        self._ids = f"SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT {_IDS_AT_ONCE}"

    def without(self, columns: Collection[str]) -> "BulkTable":
        """The same table, whose rows keep their values in these columns: the source does not know them."""
        left = {name: kind for name, kind in self._columns.items() if name not in columns}
        merged = {name: sql for name, sql in self._declared.merged.items() if name in left}
        return BulkTable(replace(self._declared, columns=left, merged=merged))

    async def load(self, tx: Database, rows_json: str, job_id: str, *, overwrite: bool) -> Written:
        """Write a JSON array of rows, whose ids differ, in one statement. Stored rows stay, or are made equal
        to the source; identical ones are left alone, so that their version and ETag stay. Adds no audit
        entries. Raises SomebodyWasQuicker; the transaction is over then.
        """
        await unaudited(tx, self._declared.name)
        statement = self._overwrite if overwrite else self._insert
        try:
            found = await tx.query_raw(
                f"WITH written AS ({statement}) SELECT jsonb_array_length($1::jsonb) AS total, "
                "coalesce(json_agg(id) FILTER (WHERE inserted), '[]')::text AS inserted, "
                "coalesce(json_agg(id) FILTER (WHERE NOT inserted), '[]')::text AS updated FROM written",
                rows_json,
                job_id,
            )
        except (UniqueViolationError, ForeignKeyViolationError):
            raise SomebodyWasQuicker from None
        inserted, updated = orjson.loads(found[0]["inserted"]), orjson.loads(found[0]["updated"])
        rest = int(found[0]["total"]) - len(inserted) - len(updated)
        return Written(inserted, updated, unchanged=rest if overwrite else 0, kept=0 if overwrite else rest)

    async def existing(
        self, db: Database, ids: Sequence[str], other_than_job: str | None = None
    ) -> list[str]:
        """Ids among these that are stored; with a job, only those that another one wrote."""
        return [row["id"] for row in await db.query_raw(self._existing, list(ids), other_than_job)]

    async def compare(self, db: Database, digested: Iterable[tuple[str, Row]]) -> list[Difference]:
        """Differences of the table from rows, each given with its digest: missing and changed ones."""
        source = [
            {"id": row["id"], "digest": digest, **{name: row[name] for name in self._counters}}
            for digest, row in digested
        ]
        return [Difference(**row) for row in await db.query_raw(self._compare, orjson.dumps(source).decode())]

    async def verdicts(self, tx: Database, entries_json: str) -> dict[str, Verdict]:
        """Verdicts by id, for a JSON array of `{"id", "digest", "content", "known", "moved"}`: digests of the
        source's present row, whether the source had it before, and whether it has changed since. Rows that
        exist are locked until the transaction ends.
        """
        return {row["id"]: row["verdict"] for row in await tx.query_raw(self._verdicts, entries_json)}

    async def raise_counters(self, tx: Database, rows_json: str) -> None:
        """Raise counters to the values in a JSON array of rows. A row's version stays, as it does when
        something is counted.
        """
        if self._counters:
            await tx.execute_raw(self._raise, rows_json)

    async def rows(self, db: Database, ids: Sequence[str]) -> dict[str, Row]:
        """Rows among these that are stored, by id."""
        found = await db.query_text(self._rows, list(ids))
        return {} if found is None else {row["id"]: row for row in json.loads(found)}

    async def every_id(self, db: Database) -> AsyncIterator[list[str]]:
        """Batches of all ids in their order."""
        last = ""
        while found := [row["id"] for row in await db.query_raw(self._ids, last)]:
            yield found
            last = found[-1]

    def digest(self, row: Row) -> str:
        """SHA-256 of all columns but counters and keys, as hexadecimal."""
        return digest_of(row, self._columns)

    def content_digest(self, row: Row) -> str:
        """SHA-256 of all columns but counters, keys and incidental ones."""
        return digest_of(row, self._content)

    def differing(self, row: Row, stored: Row) -> list[str]:
        """Columns in which a stored row differs from the source's; a counter may have grown."""
        return [
            name
            for name, kind in self._columns.items()
            if kind != "key" and text_of(stored[name], kind) != text_of(row[name], kind)
            if kind != "counter" or cast(int, stored[name]) < cast(int, row[name])
        ]

    def _shape(self, columns: Mapping[str, Kind]) -> str:
        return ", ".join(f"{name} {_TYPES[kind]}" for name, kind in columns.items())


def _comparable(expression: str, kind: Kind) -> str:
    return f"{expression}::text" if kind == "verbatim" else expression
