"""Declarations of tables that imports fill in whole batches, and what became of a batch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "integer", "real", "flag", "moment", "texts", "object", "verbatim", "counter", "key"]
"""The type of a column: `object` is JSONB; `verbatim` is JSON kept to the character; `counter` only grows, so
more is no difference; `key` says where something is kept, and nothing about the row.
"""

Value = str | int | float | bool | list[str] | dict[str, object] | None
Row = Mapping[str, Value]
"""By column: moments as `2025-10-23T22:45:24.940Z`, JSON kept to the character as its text."""

Verdict = Literal["new", "changed", "same", "deleted", "edited", "taken"]
"""The relation of a stored row to what its source said the last time and says now.

new: neither the source nor the table had it. changed: only the source has changed. same: the table holds
already what the source says now, or the source has not changed. The others are conflicts, deleted: the row is
gone, and the source has changed. edited: both have changed. taken: new to the source, but the table has
another one of that id.
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
