"""Statements about whole batches of rows, for every table that a slice declares."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import orjson
from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.client import Database
from core.database.import_table import ImportTable
from core.database.transaction import unaudited
from features.imports.errors import SomebodyWasQuicker
from features.imports.queries.digests import NOT_DIGESTED, Row, Value, digest_of, text_of, value_of
from features.imports.queries.reversal import ReversibleTable
from features.imports.queries.statements import Statements

Verdict = Literal["new", "changed", "same", "deleted", "edited", "taken"]
"""The relation of a stored row to what its source said the last time and says now.

new: neither the source nor the table had it. changed: only the source has changed. same: the table holds
already what the source says now, or the source has not changed. The others are conflicts, deleted: the row is
gone, and the source has changed. edited: both have changed. taken: new to the source, but the table has
another one of that id.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a batch. `written`: ids of its inserted and updated rows, None when that is all of it;
    `kept` rows were stored already and were not compared.
    """

    inserted: int = 0
    updated: list[str] = field(default_factory=list)
    written: list[str] | None = field(default_factory=list)
    unchanged: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is missing or differs from its source.

    `import_job_id` wrote it last and left it at `import_version`; a higher `version` means that somebody
    changed it since.
    """

    id: str
    missing: bool
    import_job_id: str | None
    version: int | None
    import_version: int | None


class RowState(NamedTuple):
    """`added`: no old service brought it. `unchanged` since the last import, or how it `was` after that."""

    added: bool
    unchanged: bool
    was: str | None = None


class BulkTable:
    """The statements about batches of one table, each a JSON array of lines (`queries.digests`). Without a
    `reversal` rows stay when their import is taken back.
    """

    def __init__(self, declared: ImportTable) -> None:
        self.declared = declared
        self.reversal = ReversibleTable(declared) if declared.version else None
        self._sql = Statements(declared)
        self._columns = declared.columns
        texts = [(name, kind) for name, kind in declared.columns.items() if kind != "texts"]
        self._undigested = [place for place, (_, kind) in enumerate(texts) if kind in NOT_DIGESTED]
        self._incidental = [place for place, (name, _) in enumerate(texts) if name in declared.incidental]
        self._counters = [place for place, (_, kind) in enumerate(texts) if kind == "counter"]

    def without(self, columns: Collection[str]) -> "BulkTable":
        """The same table, whose rows keep their values in these columns: the source does not know them."""
        left = {name: kind for name, kind in self._columns.items() if name not in columns}
        merged = {name: sql for name, sql in self.declared.merged.items() if name in left}
        return BulkTable(replace(self.declared, columns=left, merged=merged))

    async def load(self, tx: Database, lines: str, job_id: str, *, overwrite: bool) -> Written:
        """Write a batch, whose ids differ, in one statement. Stored rows stay, or are made equal to the
        source; identical ones are left alone, so that their version and ETag stay. Adds no audit entries.
        Raises SomebodyWasQuicker; the transaction is over then.
        """
        if self.declared.version:
            await unaudited(tx, self.declared.name)
        try:
            [found] = await tx.query_raw(
                f"WITH written AS ({self._sql.overwrite if overwrite else self._sql.insert}) "
                "SELECT jsonb_array_length($1::jsonb) AS total, "
                "count(*) FILTER (WHERE inserted)::int AS inserted, "
                "coalesce(json_agg(id) FILTER (WHERE NOT inserted), '[]')::text AS updated, "
                # Mostly all rows are written: then their ids are not sent.
                "CASE WHEN count(*) < jsonb_array_length($1::jsonb) "
                "THEN coalesce(json_agg(id), '[]')::text END AS written FROM written",
                lines,
                job_id,
            )
        except (UniqueViolationError, ForeignKeyViolationError):
            raise SomebodyWasQuicker from None
        updated = orjson.loads(found["updated"])
        written = None if found["written"] is None else orjson.loads(found["written"])
        rest = int(found["total"]) - int(found["inserted"]) - len(updated)
        unchanged, kept = (rest, 0) if overwrite else (0, rest)
        return Written(int(found["inserted"]), updated, written, unchanged, kept)

    async def existing(
        self, db: Database, ids: Sequence[str], other_than_job: str | None = None
    ) -> list[str]:
        """Ids among these that are stored; with a job, only those that another one wrote."""
        return [row["id"] for row in await db.query_raw(self._sql.existing, list(ids), other_than_job)]

    async def states(self, db: Database, ids: Sequence[str]) -> dict[str, RowState]:
        """States of the rows among these that are stored, by id."""
        rows = await db.query_raw(self._sql.states, list(ids))
        return {row["id"]: RowState(row["added"], row["unchanged"], row["was"]) for row in rows}

    async def compare(self, db: Database, pairs: str) -> list[Difference]:
        """Missing and changed rows, for a JSON array of `[id, digest, *counters]` (`pair`)."""
        return [Difference(**row) for row in await db.query_raw(self._sql.compare, pairs)]

    async def verdicts(self, tx: Database, entries_json: str) -> dict[str, Verdict]:
        """Verdicts by id, for a JSON array of `{"id", "digest", "content", "base", "moved"}`: digests of the
        source's present row, that of the last time (null: it was not there), and whether it has changed
        since. Rows that exist are locked until the transaction ends.
        """
        return {row["id"]: row["verdict"] for row in await tx.query_raw(self._sql.verdicts, entries_json)}

    async def raise_counters(self, tx: Database, lines: str) -> None:
        """Raise counters to the values in a batch. A row's version stays, as it does when something is
        counted.
        """
        await tx.execute_raw(self._sql.raise_counters, lines)

    async def parts(self, db: Database, ids: Sequence[str]) -> list[list[list[Any]]]:
        """Parsed lines of the rows among these that are stored, in no order."""
        found = await db.query_text(self._sql.lines, list(ids))
        return [] if found is None else orjson.loads(found)

    async def rows(self, db: Database, ids: Sequence[str]) -> dict[str, Row]:
        """Rows among these that are stored, by id."""
        return {parts[0][0]: self._row(parts) for parts in await self.parts(db, ids)}

    async def every_id(self, db: Database) -> AsyncIterator[list[str]]:
        """Batches of all ids, oldest row first."""
        moment, last = "-infinity", ""
        while found := await db.query_raw(self._sql.ids, moment, last):
            yield [row["id"] for row in found]
            moment, last = found[-1]["moment"], found[-1]["id"]

    def line(self, row: Row) -> bytes:
        texts = [text_of(row[name], kind) for name, kind in self._columns.items() if kind != "texts"]
        return orjson.dumps([texts, *(row[name] for name, kind in self._columns.items() if kind == "texts")])

    def row(self, line: bytes) -> dict[str, Any]:
        return self._row(orjson.loads(line))

    def _row(self, parts: Sequence[Sequence[Any]]) -> dict[str, Value]:
        texts, lists = iter(parts[0]), iter(parts[1:])
        return {
            name: list(next(lists)) if kind == "texts" else value_of(next(texts), kind)
            for name, kind in self._columns.items()
        }

    def digest(self, line: bytes) -> str:
        """SHA-256 of all columns but counters and keys, as hexadecimal."""
        return digest_of(_without(line, self._undigested))

    def content_digest(self, line: bytes) -> str:
        """SHA-256 of all columns but counters, keys and incidental ones."""
        return digest_of(_without(line, [*self._undigested, *self._incidental]))

    def pair(self, digest: bytes, line: bytes) -> bytes:
        """Entry of `compare`."""
        texts = orjson.loads(line)[0]
        counters = (int(texts[place]) for place in self._counters)
        return orjson.dumps([texts[0], digest.decode(), *counters])

    def differing(self, row: Row, stored: Row) -> list[str]:
        """Columns in which a stored row differs from the source's; a counter may have grown."""
        return [
            name
            for name, kind in self._columns.items()
            if kind != "key" and text_of(stored[name], kind) != text_of(row[name], kind)
            if kind != "counter" or int(str(stored[name])) < int(str(row[name]))
        ]


def _without(line: bytes, places: Collection[int]) -> bytes:
    """The line without the texts at these places."""
    if not places:
        return line
    texts, *lists = orjson.loads(line)
    return orjson.dumps([[text for place, text in enumerate(texts) if place not in places], *lists])
