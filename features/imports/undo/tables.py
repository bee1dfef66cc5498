"""The tables whose imports can be taken back."""

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
"""Given the import's job and ids of rows that were taken back: what is not in the database follows them. May
be called again for the same ones.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """`entity` is what its pages and images are kept under, `kinds` are those of the imports that write it,
    `tags` what its cached answers hang on.
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
"""In the order in which their rows are locked: each refers only to those before it. Taken back in the reverse
one.
"""
