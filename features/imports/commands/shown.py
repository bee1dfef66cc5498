"""Summaries of imports, and the differences that a comparison finds."""

import json
from typing import get_args

import typer
from rich.markup import escape

from core.console import out, say, say_columns
from core.jobs import JobView, JsonObject
from features.imports.comparison.schemas import Compared, Difference
from features.imports.schemas import Table
from features.jobs.api.terminal import COLOURS, list_of, show_each, show_more, words

_SHOWN_CHARACTERS = 60
_ALIKE_CHARACTERS = 20

RESULT_ROWS: tuple[str, ...] = (
    "records",
    "superseded",
    "imported",
    "updated",
    "unchanged",
    "kept",
    "differing",
    "rejected",
    "verified",
    "changedSince",
    "existing",
)
"""Figures of an import's result in the order of the summary; those without a value are left out."""

ALWAYS_SHOWN = frozenset({"imported", "verified"})
_CHANGES = ("new", "changed", "conflicts", "vanished")
_FOUND = ("records", "superseded", "rejected")
_DONE = (*_FOUND, "imported", "updated", "unchanged", "kept", "verified")
SINCE_LAST_ROWS = ("records", "superseded", *_CHANGES, "unchanged", "rejected", "verified", "changedSince")
PHASES = ("preflight", "load", "verify")


def show_summary(job: JobView, database: str) -> None:
    """Print how an import ended: one line, then the figures."""
    result: JsonObject = job.result or {}
    what = "Dry run" if job.arguments.get("dryRun") else "Import"
    line = f"{what} of {job.arguments.get('filename')} {job.state}"
    out.print(f"[{COLOURS.get(job.state, 'white')}]{escape(line)}[/]", soft_wrap=True)
    if job.error:
        say(job.error)
    rows: list[tuple[str, ...]] = []
    changes = result.get("sinceLast")
    counts, names = result, RESULT_ROWS
    if isinstance(changes, dict):
        counts, names = {**result, **changes}, SINCE_LAST_ROWS
    for name in names:
        value = counts.get(name)
        if isinstance(value, int) and (
            value or name in (*_CHANGES, "rejected") or (name in ALWAYS_SHOWN and not result.get("dryRun"))
        ):
            rows.append((words(name), f"{value:,}"))
    if not result and job.rejected:
        rows.append(("rejected", f"{job.rejected:,}"))
    for name, label in (("rowsPerSecond", "rows/s"), ("seconds", "seconds")):
        figures = result.get(name)
        if isinstance(figures, dict):
            known = [(phase, figures[phase]) for phase in PHASES if phase in figures]
            rows.append((label, ", ".join(f"{phase} {value:,}" for phase, value in known)))
    if "sha256" in result:
        rows.append((words("sha256"), str(result["sha256"])))
    say_columns([*rows, ("job", job.id), ("database", database)])
    rejects = list_of(result.get("rejects"))
    show_each(rejects, "path", "reason")
    if rejects:
        show_more(rejects, result.get("rejected"), "records that cannot be imported")
        if not result.get("dryRun"):
            say(f"With their records: GET /api/v1/imports/{job.id}/rejects, as CSV with ?form=csv")
    if isinstance(changes, dict):
        conflicts, vanished = list_of(changes.get("firstConflicts")), list_of(changes.get("firstVanished"))
        show_each(conflicts, "id", "reason")
        show_more(conflicts, changes.get("conflicts"), "conflicts")
        for item_id in vanished:
            say(f"  {item_id}: has vanished from the source and is still here")
        show_more(vanished, changes.get("vanished"), "that have vanished")
    _show_tables(job)


def _show_tables(job: "JobView") -> None:
    """Print the figures of each table, and by column how many rows were translated or adapted."""
    tables = (job.result or {}).get("tables")
    if not isinstance(tables, dict):
        return
    names: tuple[str, ...] = (*_FOUND, "existing") if job.arguments.get("dryRun") else _DONE
    if job.arguments.get("sinceLast"):
        names = (*_FOUND, "new", "changed", "unchanged", "conflicts", "vanished")
    rows: list[tuple[str, ...]] = [("table", *names)]
    words: list[tuple[str, ...]] = [("column", "what", "rows")]
    for table in get_args(Table):
        figures = tables.get(table)
        if isinstance(figures, dict):
            changes = figures.get("sinceLast")
            figures = {**figures, **(changes if isinstance(changes, dict) else {})}
            rows.append((table, *(f"{figures[name]:,}" for name in names)))
            for what in ("translated", "adapted"):
                counts = figures.get(what)
                for column, count in counts.items() if isinstance(counts, dict) else ():
                    words.append((f"{table}.{column}", what, f"{count:,}"))
    say_columns(rows)
    absent = (job.result or {}).get("absent")
    for missing in absent if isinstance(absent, list) else []:
        say(f"{missing} is not in the source")
    if words[1:]:
        say_columns(words)
        say("The original values are kept in each row's legacy JSON.")


def show_unknown(job: JobView) -> None:
    """Print which column of a spreadsheet becomes which field, and the columns that no field takes."""
    unknown, columns = job.arguments.get("unknown"), job.arguments.get("map")
    if isinstance(columns, dict):
        taken = [field if field == name else f"{field} from {name}" for field, name in columns.items()]
        say(f"Columns: {', '.join(taken)}")
    if isinstance(unknown, list) and unknown:
        say(f"Left out: {', '.join(map(str, unknown))}")
    for table, columns in unknown.items() if isinstance(unknown, dict) else ():
        say(f"{table} has unknown columns, kept in legacy: {', '.join(map(str, list_of(columns)))}")


def end_comparison(compared: Compared, what: str) -> None:
    """Print the number of differences; raises Exit(1) if there is any."""
    if compared.differences:
        noun = "difference" if compared.differences == 1 else "differences"
        typer.echo(f"{compared.differences:,} {noun} between {what}.")
        raise typer.Exit(1)
    typer.echo(f"No difference between {what}.")


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
