"""The columns that docs/takeover.md lists are those that the import takes."""

from pathlib import Path
from typing import Final

import pytest

from features.imports.registry.columns import STORES, Column
from features.imports.registry.tables import LEGACY
from features.imports.schemas import Store, Table

GUIDE: Final = Path(__file__).resolve().parents[4] / "docs" / "takeover.md"
SCHEMAS: Final[dict[Store, str]] = {
    "questdb-1": "QuestDB 1",
    "questdb-2": "QuestDB 2",
    "postgres": "PostgreSQL",
}


def named(column: Column) -> str:
    """`filename` (QuestDB 1: `stored_name`), in bold when a table is refused without it."""
    name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
    for former in dict.fromkeys(column.former.values()):
        stores = ", ".join(SCHEMAS[store] for store in column.former if column.former[store] == former)
        name += f" ({stores}: `{former}`)"
    return name


def translated(column: Column) -> str:
    """Old words, and what they become."""
    if column.words is None:
        return ""
    new = dict.fromkeys(column.words.old.values())
    groups = [
        f"{', '.join(f'`{old}`' for old, word in column.words.old.items() if word == each)} → `{each}`"
        for each in new
    ]
    return "; ".join([*groups, *([f"any other → `{column.words.default}`"] if column.words.default else [])])


def listed(table: Table) -> str:
    """The table's section of the guide."""
    legacy = LEGACY[table]
    lines = [
        f"### `{table}`",
        "",
        "| column | schemas | goes into | old words |",
        "| --- | --- | --- | --- |",
    ]
    for column in legacy.columns:
        stores = (
            "all" if len(column.stores) == len(STORES) else ", ".join(SCHEMAS[each] for each in column.stores)
        )
        here = f"`{column.here}`" if column.here in legacy.rows.declared.columns else "`legacy`"
        here = "compared with the bytes" if column.of_bytes else here
        lines.append(f"| {named(column)} | {stores} | {here} | {translated(column)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def gone_back() -> str:
    """The words of each schema that words of ours go back as, the nearest in italics."""
    lines = [
        "| column | here | QuestDB 1 | QuestDB 2, PostgreSQL |",
        "| --- | --- | --- | --- |",
    ]
    for table, legacy in LEGACY.items():
        for column in legacy.columns:
            words = column.words
            for here in () if words is None else dict.fromkeys((*words.here, *words.first, *words.later)):
                assert words is not None
                old = [each.get(here, here) for each in (words.first, words.later)]
                shown = [f"`{word}`" if words.old.get(word, word) == here else f"*`{word}`*" for word in old]
                if set(old) != {here}:
                    name = f"`{table.removeprefix('documentation_')}.{column.name}`"
                    lines.append(f"| {name} | `{here}` | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def test_the_guide_lists_the_words_that_go_back_to_each_schema() -> None:
    assert f"\n{gone_back()}" in GUIDE.read_text(encoding="utf-8"), f"docs/takeover.md lacks\n{gone_back()}"


@pytest.mark.parametrize("table", LEGACY)
def test_the_guide_lists_the_columns_of_each_table(table: Table) -> None:
    assert f"\n{listed(table)}" in GUIDE.read_text(encoding="utf-8"), (
        f"docs/takeover.md lacks\n{listed(table)}"
    )
