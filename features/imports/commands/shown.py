"""Output and exit codes of the commands about imports."""

import typer
from rich.markup import escape

from core.command import CommandContext, Features
from core.console import COLOURS, list_of, out, run_shown, say, say_columns, show_each, show_more, words
from core.feature import kinds_of
from core.jobs import JobConflict, Jobs, JobView, JsonObject
from features.imports.pipeline.comparison import Compared, Difference

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

ALWAYS_SHOWN = frozenset({"imported", "rejected", "verified"})
_CHANGES = ("new", "changed", "conflicts", "vanished")
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
            value or name in _CHANGES or (name in ALWAYS_SHOWN and not result.get("dryRun"))
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
    if isinstance(changes, dict):
        conflicts, vanished = list_of(changes.get("firstConflicts")), list_of(changes.get("firstVanished"))
        show_each(conflicts, "id", "reason")
        show_more(conflicts, changes.get("conflicts"), "conflicts")
        for item_id in vanished:
            say(f"  {item_id}: has vanished from the source and is still here")
        show_more(vanished, changes.get("vanished"), "that have vanished")


async def clear_the_way(here: CommandContext, features: Features, kind: str) -> None:
    """Carry on an orphaned job that excludes this kind. Raises JobConflict if another process runs it."""
    try:
        await here.jobs.raise_if_taken(kind)
    except JobConflict as conflict:
        job_id = conflict.job_id
        if not await here.jobs.is_orphaned(job_id):
            raise
        jobs = Jobs(here.db, here.cache, here.settings, kinds_of(features()))
        try:
            begun = await jobs.get(job_id)
            say(f"Job {job_id} ({begun.kind}) has lost its process and is carried on first.")
            job = await run_shown(jobs, job_id)
        finally:
            await jobs.stop()
        if not job.ended:
            raise
        say(f"Job {job_id} {job.state}" + (f": {job.error}" if job.error else ""))
        if job.state == "cancelled" and not begun.cancel_requested:
            raise typer.Exit(1) from None


def end_comparison(compared: Compared, what: str) -> None:
    """Print the number of differences; raises Exit(1) if there is any."""
    if compared.differences:
        noun = "difference" if compared.differences == 1 else "differences"
        typer.echo(f"{compared.differences:,} {noun} between {what}.")
        raise typer.Exit(1)
    typer.echo(f"No difference between {what}.")


def show_difference(difference: Difference, source: str) -> None:
    typer.echo(f"{difference.kind:<10} {difference.id}")
    for name, there, here in difference.fields:
        values = f"{_short(there, here)} in the {source}, {_short(here, there)} here" if here else there
        typer.echo(f"{'':<10}   {name}: {values}")


def _short(text: str, other: str) -> str:
    """Excerpt of a long text around its first difference from the other one."""
    begin = 0
    if max(len(text), len(other)) > _SHOWN_CHARACTERS:
        pairs = enumerate(zip(text, other, strict=False))
        alike = next((place for place, (one, two) in pairs if one != two), min(len(text), len(other)))
        begin = max(0, alike - _ALIKE_CHARACTERS)
    end = begin + _SHOWN_CHARACTERS
    return ("..." if begin else "") + text[begin:end] + ("..." if text[end:] else "")


def end_with(job: JobView) -> None:
    if job.state != "succeeded":
        raise typer.Exit(1)
