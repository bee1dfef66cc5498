"""Tables whose imports can be taken back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.jobs import JobContext
from features.files import api as files
from features.imports.phases.rows import ITEMS
from features.imports.queries.reversal import ReversibleTable
from features.imports.registry.schemas import KINDS
from features.imports.registry.tables import TARGETS
from features.imports.schemas import ENTITY, KIND
from features.imports.undo import contents
from features.items import api as items

Settle = Callable[[JobContext, str, Sequence[str]], Awaitable[None]]
"""Callback that updates what is not in the database after an undo, given the import's job and ids of rows
that were taken back. May be called again for the same ones.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Table that imports write. `entity` names it in manifest chunks and images, `kinds` are the imports that
    write it; writes to it invalidate `tags`.
    """

    entity: str
    kinds: tuple[str, ...]
    rows: ReversibleTable
    tags: tuple[str, ...]
    settle: Settle | None = None


TABLES: Final = (
    *(
        Table(
            each.entity,
            tuple(KINDS.values()),
            each.reversal,
            each.tags,
            contents.settle if each.entity == files.ENTITY else None,
        )
        for each in TARGETS.values()
        if each.reversal is not None
    ),
    Table(ENTITY, (KIND,), ITEMS, items.ITEM_TAGS),
)
"""Tables in the order in which their rows are locked, each after those it refers to. Undone in reverse."""
