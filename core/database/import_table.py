"""Declarations of tables that imports fill in whole batches."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "integer", "real", "flag", "moment", "texts", "object", "verbatim", "counter", "key"]
"""The type of a column: `object` is JSONB; `verbatim` is JSON kept to the character; `counter` only grows, so
more is no difference; `key` says where something is kept, and nothing about the row.
"""


@dataclass(frozen=True, slots=True)
class ImportTable:
    """A table with `import_job_id` and the given columns, whose first one is the row's key. `entity` names
    its rows in the import journal and the audit trail; writes to it invalidate the cache's `tags`.

    `version`: the column that counts a row's changes, beside `import_version` and `updated_at`; None: rows
    are only ever added, in the source's order. `parents`: the tables of the rows that a column refers to.
    `merged`: what an overwritten row gets in a column, as SQL with `excluded`; otherwise what the source
    says. `incidental`: columns that two sides never say alike, so that rows agree without them (the time of a
    change, what a check measured). `unique`: columns of which no two rows may say the same. `at_once`: how
    many batches are written at the same time.
    """

    name: str
    entity: str
    tags: tuple[str, ...]
    columns: Mapping[str, Kind]
    version: str | None = "row_version"
    parents: Mapping[str, str] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    incidental: Collection[str] = ()
    unique: tuple[str, ...] = ()
    at_once: int = 1

    @property
    def key(self) -> str:
        return next(iter(self.columns))

    @property
    def counters(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.columns.items() if kind == "counter")
