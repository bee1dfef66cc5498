"""Tables that imports write in whole batches, and the proof that their rows are what the source said.

A digest is the SHA-256 of every column, written as `length:text` (length in Unicode code points, `-` for
null, lists preceded by their number), so that no two different rows share a text. `BulkTable.digest` computes
it from what the source said, PostgreSQL from its own columns: only what differs travels.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

import orjson
from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.client import Database
from core.errors import Conflict

Kind = Literal["text", "integer", "real", "flag", "moment", "texts", "object", "verbatim", "counter", "key"]
"""`object` is JSONB; `verbatim` is JSON kept to the character; `counter` only grows, so more is no
difference; `key` says where something is kept, and nothing about the row.
"""

Value = str | int | float | bool | list[str] | dict[str, object] | None
Row = Mapping[str, Value]
"""By column: moments as `2025-10-23T22:45:24.940Z`, JSON kept to the character as its text."""

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
_UNPROVED: Final[frozenset[Kind]] = frozenset({"counter", "key"})


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch. `kept` rows were stored already and were not compared."""

    inserted: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
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


class SomebodyWasQuicker(Conflict):
    """A value that must be unique is taken, or what a row refers to is gone, since that was looked at."""

    code = "database.somebody_was_quicker"

    def __init__(self) -> None:
        super().__init__("Somebody changed what the rows depend on at the same moment; begin again")


class BulkTable:
    """One table with `id`, `row_version`, `import_job_id`, `import_version` and the given columns.

    `merged`: what an overwritten row gets in a column, as SQL with `excluded`; otherwise what the source
    says.
    """

    def __init__(
        self, table: str, columns: Mapping[str, Kind], *, merged: Mapping[str, str] | None = None
    ) -> None:
        self._table = table
        self._columns = dict(columns)
        self._merged = merged = dict(merged or {})
        names = ", ".join(columns)
        read = ", ".join(f"{name}::json" if kind == "verbatim" else name for name, kind in columns.items())
        insert = (
            f"INSERT INTO {table} ({names}, import_job_id, import_version) "
            f"SELECT {read}, $2::uuid, 1 FROM jsonb_to_recordset($1::jsonb) AS source({self._shape(columns)})"
        )
        self._insert = f"{insert} ON CONFLICT (id) DO NOTHING RETURNING id, true AS inserted"
        changed = [name for name in columns if name != "id"]
        sets = ", ".join(f"{name} = {merged.get(name, f'excluded.{name}')}" for name in changed)
        told = [name for name in changed if columns[name] != "key"]
        before = ", ".join(_comparable(f"{table}.{name}", columns[name]) for name in told)
        after = ", ".join(_comparable(merged.get(name, f"excluded.{name}"), columns[name]) for name in told)
        self._overwrite = (
            f"{insert} ON CONFLICT (id) DO UPDATE SET {sets}, import_job_id = excluded.import_job_id, "
            f"row_version = {table}.row_version + 1, import_version = {table}.row_version + 1 "
            f"WHERE ({before}) IS DISTINCT FROM ({after}) RETURNING id, xmax = 0 AS inserted"
        )
        self._existing = (
            f"SELECT {table}.id FROM unnest($1::text[]) AS source(id) JOIN {table} ON {table}.id = source.id "
            "WHERE $2::uuid IS NULL OR import_job_id IS DISTINCT FROM $2::uuid"
        )
        parts = " || ".join(
            _digested(f"{table}.{name}", kind) for name, kind in columns.items() if kind not in _UNPROVED
        )
        counters = [name for name, kind in columns.items() if kind == "counter"]
        fewer = "".join(f" OR {table}.{name} < source.{name}" for name in counters)
        self._counters = tuple(counters)
        self._compare = (
            f"SELECT source.id, {table}.id IS NULL AS missing, import_job_id::text AS import_job_id, "
            f"row_version AS version, import_version FROM jsonb_to_recordset($1::jsonb) "
            f"AS source(id text, digest text{''.join(f', {name} int' for name in counters)}) "
            f"LEFT JOIN {table} ON {table}.id = source.id WHERE {table}.id IS NULL "
            f"OR encode(sha256(convert_to({parts}, 'UTF8')), 'hex') <> source.digest{fewer}"
        )

    def without(self, columns: Collection[str]) -> "BulkTable":
        """The same table, whose rows keep what they have in these columns: the source does not know them."""
        left = {name: kind for name, kind in self._columns.items() if name not in columns}
        return BulkTable(
            self._table, left, merged={name: sql for name, sql in self._merged.items() if name in left}
        )

    async def load(self, tx: Database, rows_json: str, job_id: str, *, overwrite: bool) -> Written:
        """Write a JSON array of rows, whose ids differ, in one statement. Stored rows stay, or are made equal
        to the source; identical ones are left alone, so that their version and ETag stay.

        Raises SomebodyWasQuicker; the transaction is over then.
        """
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
        """Those of the ids that are stored, or that another one than the given job wrote."""
        return [row["id"] for row in await db.query_raw(self._existing, list(ids), other_than_job)]

    async def compare(self, db: Database, proofs: Iterable[tuple[str, Row]]) -> list[Difference]:
        """Those of the rows, each with its digest, that are missing or different in the table."""
        source = [
            {"id": row["id"], "digest": digest, **{name: row[name] for name in self._counters}}
            for digest, row in proofs
        ]
        return [Difference(**row) for row in await db.query_raw(self._compare, orjson.dumps(source).decode())]

    def digest(self, row: Row) -> str:
        """SHA-256 of all columns but counters and keys, as hexadecimal."""
        text = "".join(
            _text_of(row[name], kind) for name, kind in self._columns.items() if kind not in _UNPROVED
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _shape(self, columns: Mapping[str, Kind]) -> str:
        return ", ".join(f"{name} {_TYPES[kind]}" for name, kind in columns.items())


def line_of_json(row: Row) -> bytes:
    """The row as `load` takes it in its array: one line, UTF-8."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _comparable(expression: str, kind: Kind) -> str:
    return f"{expression}::text" if kind == "verbatim" else expression


def _measured(text: str) -> str:
    return f"length({text}) || ':' || {text}"


def _digested(column: str, kind: Kind) -> str:
    if kind == "texts":
        each = _measured("entry")
        return (
            f"cardinality({column}) || '[' || coalesce((SELECT string_agg({each}, '' ORDER BY place) "
            f"FROM unnest({column}) WITH ORDINALITY AS entries(entry, place)), '')"
        )
    text = column if kind == "text" else f"{column}::text"
    if kind == "moment":
        text = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    return f"coalesce({_measured(text)}, '-')"


def _text_of(value: Value, kind: Kind) -> str:
    if isinstance(value, list):
        return f"{len(value)}[{''.join([f'{len(each)}:{each}' for each in value])}"
    if value is None:
        return "-"
    if kind == "object":
        text = jsonb_text(value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float):
        text = repr(value).removesuffix(".0")
    else:
        text = str(value)
    return f"{len(text)}:{text}"


def jsonb_text(value: object) -> str:
    """JSON as PostgreSQL writes a JSONB value: shorter keys first, numbers without exponent."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quoted(key)}: {jsonb_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonb_text, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removeprefix("-" if value == 0 else "")
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
