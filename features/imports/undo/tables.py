"""The tables whose imports can be taken back."""

from dataclasses import dataclass
from typing import Final

from core.database.reversal import ReversibleTable
from features.imports.schemas import ENTITY
from features.items import api as items


@dataclass(frozen=True, slots=True)
class Table:
    """`entity` is what its pages and images are kept under, `tags` what its cached answers hang on."""

    entity: str
    rows: ReversibleTable
    tags: tuple[str, ...]


TABLES: Final = (Table(ENTITY, items.REVERSAL, items.ITEM_TAGS),)
"""In the order in which their rows are locked; taken back in the reverse one."""
