"""Tables whose imports can be taken back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.jobs import JobContext
from features.files import api as files
from features.imports.lowdb.source import TARGETS as LOWDB
from features.imports.pipeline.source import Target
from features.imports.queries.reversal import ReversibleTable
from features.imports.registry.tables import TARGETS as REGISTRY
from features.imports.undo import contents

Settle = Callable[[JobContext, str, Sequence[str]], Awaitable[None]]
"""Callback that updates what is not in the database after an undo, given the import's job and ids of rows
that were taken back. May be called again for the same ones.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Table that imports write. `entity` names it in manifest chunks and images; writes to it invalidate
    `tags`.
    """

    entity: str
    rows: ReversibleTable
    tags: tuple[str, ...]
    settle: Settle | None = None


def _table(target: Target) -> Table | None:
    declared = target.rows.declared
    settle = contents.settle if declared.entity == files.ENTITY else None
    if target.reversal is None:
        return None
    return Table(declared.entity, target.reversal, declared.tags, settle)


TABLES: Final = tuple(
    table for targets in (REGISTRY, LOWDB) for each in targets.values() if (table := _table(each)) is not None
)
"""Tables in the order in which their rows are locked, each after those it refers to. Undone in reverse."""
