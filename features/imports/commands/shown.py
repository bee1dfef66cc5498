"""Summaries of imports, and the differences that a comparison finds."""

import json
from collections.abc import Mapping
from typing import Final, get_args

import typer
from pydantic import JsonValue
from rich.markup import escape

from core.console import out, say, say_columns
from core.jobs import JobView
from features.imports.comparison.schemas import Compared, Difference
from features.imports.schemas import Table
from features.jobs.api.terminal import COLOURS, list_of, show_each, show_more, words

_SHOWN_CHARACTERS: Final = 60
_ALIKE_CHARACTERS: Final = 20

_CHANGES: Final = ("new", "changed", "conflicts", "vanished")
_FOUND: Final = ("records", "superseded", "rejected")
_DONE: Final = ("imported", "updated", "unchanged", "kept")
_FIGURES: Final = (
    "records",
    "superseded",
    *_DONE,
    "differing",
    "rejected",
    "verified",
    "changedSince",
    "existing",
)
_SINCE_LAST: Final = ("records", "superseded", *_CHANGES, "unchanged", "rejected", "verified", "changedSince")
"""Figures in the order of the summary; those that are 0 are left out, but for these."""
_ALWAYS: Final = frozenset({*_CHANGES, "rejected"})
_ALWAYS_DONE: Final = frozenset({*_ALWAYS, "imported", "verified"})


def show_summary(job: JobView, database: str) -> None:
    """Print how an import ended: one line, then the figures."""
    result, dry_run = job.result or {}, bool(job.arguments.get("dryRun"))
    line = f"{'Dry run' if dry_run else 'Import'} of {job.arguments.get('filename')} {job.state}"
    out.print(f"[{COLOURS.get(job.state, 'white')}]{escape(line)}[/]", soft_wrap=True)
    if job.error:
        say(job.error)
    changes = _mapping(result.get("sinceLast"))
    counts = {"rejected": job.rejected or None, **result, **changes}
    always = _ALWAYS if dry_run else _ALWAYS_DONE
    rows: list[tuple[str, ...]] = [
        (words(name), f"{value:,}")
        for name in (_SINCE_LAST if changes else _FIGURES)
        if isinstance(value := counts.get(name), int) and (value or name in always)
    ]
    for name, label in (("rowsPerSecond", "rows/s"), ("seconds", "seconds")):
        if figures := _mapping(result.get(name)):
            known = (
                f"{phase} {figures[phase]:,}" for phase in ("preflight", "load", "verify") if phase in figures
            )
            rows.append((label, ", ".join(known)))
    if "sha256" in result:
        rows.append((words("sha256"), str(result["sha256"])))
    say_columns([*rows, ("job", job.id), ("database", database)])
    if rejects := list_of(result.get("rejects")):
        show_each(rejects, "path", "reason")
        show_more(rejects, result.get("rejected"), "records that cannot be imported")
        if not dry_run:
            say(f"With their records: GET /api/v1/imports/{job.id}/rejects, as CSV with ?form=csv")
    conflicts, vanished = list_of(changes.get("firstConflicts")), list_of(changes.get("firstVanished"))
    show_each(conflicts, "id", "reason")
    show_more(conflicts, changes.get("conflicts"), "conflicts")
    for item_id in vanished:
        say(f"  {item_id}: has vanished from the source and is still here")
    show_more(vanished, changes.get("vanished"), "that have vanished")
    if tables := _mapping(result.get("tables")):
        _show_tables(job, tables)


def _show_tables(job: JobView, tables: Mapping[str, JsonValue]) -> None:
    """Print the figures of each table, and by column how many rows were translated or adapted."""
    more: tuple[str, ...] = ("existing",) if job.arguments.get("dryRun") else (*_DONE, "verified")
    if job.arguments.get("sinceLast"):
        more = ("new", "changed", "unchanged", "conflicts", "vanished")
    names = (*_FOUND, *more)
    rows: list[tuple[str, ...]] = [("table", *names)]
    translated: list[tuple[str, ...]] = [("column", "what", "rows")]
    for table in get_args(Table):
        if figures := _mapping(tables.get(table)):
            figures = {**figures, **_mapping(figures.get("sinceLast"))}
            rows.append((table, *(f"{figures[name]:,}" for name in names)))
            translated += [
                (f"{table}.{column}", what, f"{count:,}")
                for what in ("translated", "adapted")
                for column, count in _mapping(figures.get(what)).items()
            ]
    say_columns(rows)
    for missing in list_of((job.result or {}).get("absent")):
        say(f"{missing} is not in the source")
    if translated[1:]:
        say_columns(translated)
        say("The original values are kept in each row's legacy JSON.")


def show_unknown(job: JobView) -> None:
    """Print which column of a spreadsheet becomes which field, and the columns that no field takes."""
    unknown = job.arguments.get("unknown")
    if columns := _mapping(job.arguments.get("map")):
        taken = [field if field == name else f"{field} from {name}" for field, name in columns.items()]
        say(f"Columns: {', '.join(taken)}")
    if left_out := list_of(unknown):
        say(f"Left out: {', '.join(map(str, left_out))}")
    for table, names in _mapping(unknown).items():
        say(f"{table} has unknown columns, kept in legacy: {', '.join(map(str, list_of(names)))}")


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def show_compared(compared: Compared, what: str) -> bool:
    """Print the number of differences; True if there is none."""
    for table in compared.absent:
        typer.echo(f"{table} is not in the source")
    noun = "difference" if compared.differences == 1 else "differences"
    found = f"{compared.differences:,} {noun}" if compared.differences else "No difference"
    typer.echo(f"{found} between {what}.")
    return not compared.differences


def show_difference(difference: Difference, source: str) -> None:
    typer.echo(f"{difference.kind:<10} {difference.id}")
    if difference.reason is not None:
        typer.echo(f"{'':<10}   reason: {difference.reason}")
    for each in difference.fields:
        there, here = (json.dumps(value, ensure_ascii=False) for value in (each.source, each.here))
        values = f"{_short(there, here)} in the {source}, {_short(here, there)} here"
        typer.echo(f"{'':<10}   {each.name}: {values}")


def _short(text: str, other: str) -> str:
    """Excerpt of a long text around its first difference from the other one."""
    begin = 0
    if max(len(text), len(other)) > _SHOWN_CHARACTERS:
        pairs = enumerate(zip(text, other, strict=False))
        alike = next((place for place, (one, two) in pairs if one != two), min(len(text), len(other)))
        begin = max(0, alike - _ALIKE_CHARACTERS)
    end = begin + _SHOWN_CHARACTERS
    return ("..." if begin else "") + text[begin:end] + ("..." if text[end:] else "")
