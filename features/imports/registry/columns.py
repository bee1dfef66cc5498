"""Declaration of an old table: its columns by their names, and the table here that its rows go to.

The old registry had three schemas, told apart by their columns. The third one, PostgreSQL, is the second with
more columns: both are read alike.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, get_args

from core.database.import_table import Kind
from features.imports.queries.bulk import BulkTable
from features.imports.queries.digests import Value
from features.imports.registry.values import LARGEST_INTEGER, LONGEST_TEXT, Old, Words
from features.imports.schemas import Store

STORES: Final[tuple[Store, ...]] = get_args(Store)
Reader = Callable[[Old, str], Value]
_BARE: Final[Collection[Kind]] = ("integer", "real", "flag", "counter")


@dataclass(frozen=True, slots=True)
class Column:
    """Column of an old table in these `stores`, of which some may have another `former` name for it. It goes
    `into` the column here of that name, or else of its own; if there is none, it stays in `legacy`.

    The kind of that column says how it is read and written, unless there are `words` or a function to `read`
    it. `least` and `most` are bounds of a number, `most` that of a text's length. A table is refused without
    a `required` column. What is `of_bytes` the bytes of a file say: the row's value is only compared.
    """

    name: str
    stores: Collection[Store] = STORES
    former: Mapping[Store, str] = field(default_factory=dict)
    into: str = ""
    required: bool = False
    least: float = 0
    most: float = sys.float_info.max
    words: Words | None = None
    read: Reader | None = None
    of_bytes: bool = False

    @property
    def here(self) -> str:
        return self.into or self.name

    def name_in(self, store: Store) -> str:
        return self.former.get(store, self.name)

    def name_among(self, names: Collection[str]) -> str:
        """Its name in a row or table with these."""
        for name in self.former.values():
            if name in names:
                return name
        return self.name

    def reader(self, kind: Kind) -> Reader:
        """Reader of its values for a column here of that kind."""
        words, required, least, most = self.words, self.required, self.least, self.most
        if words is not None:
            return lambda old, name: old.word(name, words, required=required)
        longest, largest = min(most, LONGEST_TEXT), min(most, LARGEST_INTEGER)
        readers: dict[Kind, Reader] = {
            "text": lambda old, name: old.text(name, most=longest, required=required),
            "integer": lambda old, name: old.integer(name, least=least, most=largest),
            "counter": lambda old, name: old.integer(name) or 0,
            "real": lambda old, name: old.real(name, least=least, most=most),
            "flag": Old.flag,
            "moment": Old.moment,
            "texts": Old.texts,
            "object": Old.members,
        }
        return self.read or readers[kind]


@dataclass(frozen=True)
class LegacyTable:
    """Table of the old registry. Its `columns` stand in the order of the later schemas, the last one is the
    time at which a row's version was appended. `finish` applies rules about several columns of a row.

    Columns here are read in their order, behind the key those that are `read_first`: in that order `legacy`
    has the original values, and digests in the import journal are of it.
    """

    rows: BulkTable
    columns: tuple[Column, ...]
    read_first: tuple[str, ...] = ()
    finish: Callable[[Old, dict[str, Value]], None] = lambda old, row: None

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by all names that they have had."""
        return {name: each for each in self.columns for name in (each.name, *each.former.values())}

    def column(self, name: str) -> Column:
        """Column that has or had this name, declared or not."""
        return self.by_name.get(name) or Column(name)

    @cached_property
    def readers(self) -> Mapping[str, tuple[Column, Reader]]:
        """Columns here that rows are translated to, in the order in which they are read."""
        kinds = self.rows.declared.columns
        found = {each.here: each for each in self.columns if each.here in kinds and not each.of_bytes}
        order = dict.fromkeys((self.rows.declared.key, *self.read_first, *kinds))
        return {here: (found[here], found[here].reader(kinds[here])) for here in order if here in found}

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Columns here that no schema of the old table has."""
        known = {each.here for each in self.columns}
        kinds = self.rows.declared.columns
        return frozenset(
            name for name, kind in kinds.items() if kind not in ("verbatim", "key") and name not in known
        )

    @cached_property
    def bare(self) -> frozenset[str]:
        """Names of the columns that CSV has without quotes."""
        kinds = self.rows.declared.columns
        return frozenset(name for name, each in self.by_name.items() if kinds.get(each.here) in _BARE)

    def names_in(self, store: Store) -> list[str]:
        """Columns of the table in a registry of that store, in their order."""
        return [each.name_in(store) for each in self.columns if store in each.stores]

    def rows_from(self, names: Collection[str]) -> BulkTable:
        """Table here for rows of a source with these columns: what it cannot know stays as it is, but a row
        that does not say when it was updated never was.
        """
        known = {
            each.here
            for each in self.columns
            if each.of_bytes
            or each.here == "updated_at"
            or len(each.stores) == len(STORES)
            or each.name_among(names) in names
        }
        kinds = self.rows.declared.columns
        unsure = [
            name for name, kind in kinds.items() if kind not in ("verbatim", "key") and name not in known
        ]
        return self.rows.without(unsure)
