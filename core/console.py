"""Sentences and tables of commands in a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)


def say(text: str) -> None:
    out.print(escape(text), soft_wrap=True)


def say_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Print aligned columns, never cut or wrapped: ids are there to be copied."""
    for line in columns(rows):
        say(line)


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in cells]


def moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
