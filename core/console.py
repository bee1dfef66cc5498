"""What the commands show in a terminal: progress, tables, sentences."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from core.jobs import JobEnded, Jobs, NextRun
from core.jobs.views import JobState, JobView, JsonObject, Snapshot

out = Console(highlight=False)

COLOURS: dict[JobState, str] = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
}
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
"""The figures of an import's result in the order of the summary; those without a value are left out."""

ALWAYS_SHOWN = frozenset({"imported", "rejected", "verified"})
_CHANGES = ("new", "changed", "conflicts", "vanished")
SINCE_LAST_ROWS = ("records", "superseded", *_CHANGES, "unchanged", "rejected", "verified", "changedSince")
PHASES = ("preflight", "load", "verify")


def say(text: str) -> None:
    out.print(escape(text), soft_wrap=True)


class Rate(ProgressColumn):
    """Rows per second and seconds left, as the job itself measured them."""

    def render(self, task: Task) -> Text:
        rate, left = task.fields.get("rate"), task.fields.get("left")
        parts = [] if rate is None else [f"{rate:,.0f} rows/s"]
        if left is not None:
            parts.append(f"{duration(left)} left")
        return Text(", ".join(parts), style="dim")


class JobProgress:
    """A live line: phase, bar, rows, per cent, rows/s, time left. Use as a context manager."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.fields[rows]}"),
            TextColumn("{task.percentage:>3.0f}%"),
            Rate(),
            console=out,
        )
        self._task = self._progress.add_task("queued", total=None, rows="", rate=None, left=None)

    def __enter__(self) -> "JobProgress":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, now: Snapshot) -> None:
        of = "" if now.total is None else f" of {now.total:,}"
        done, total = now.done, now.total
        if now.state == "succeeded":  # nothing to do is done, too
            done = total = max(now.done, now.total or 0, 1)
        rejected = f", {now.rejected:,} rejected" if now.rejected else ""
        self._progress.update(
            self._task,
            description="stopping" if now.cancel_requested else now.phase or now.state,
            completed=done,
            total=total,
            rows=f"{now.done:,}{of} rows{rejected}" if now.done or now.total or rejected else "",
            rate=now.rate,
            left=now.seconds_left,
        )


async def run_shown(jobs: Jobs, job_id: str) -> JobView:
    """Run the job with live progress and return how it ended; a stop signal cancels it."""
    shown = 0
    with _cancelled_by_signal(jobs, job_id), JobProgress() as progress:

        async def follow() -> None:
            nonlocal shown
            async for event in jobs.follow(job_id):
                progress.show(event.snapshot)
                shown = event.sequence

        following = asyncio.create_task(follow())
        try:
            job = await jobs.run(job_id)
        finally:
            following.cancel()
        for event in await jobs.events_after(job_id, shown):
            progress.show(event.snapshot)
    return job


@contextmanager
def _cancelled_by_signal(jobs: Jobs, job_id: str) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM cancels the job, which ends at its next batch; a second one ends us."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    cancelling: set[asyncio.Task[None]] = set()

    async def cancel() -> None:
        with suppress(JobEnded):
            await jobs.cancel(job_id)

    def on_signal() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        cancelling.add(loop.create_task(cancel()))

    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def show_summary(job: JobView, database: str) -> None:
    """How an import ended: one line, then the figures."""
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
            rows.append((_words(name), f"{value:,}"))
    if not result and job.rejected:
        rows.append(("rejected", f"{job.rejected:,}"))
    for name, label in (("rowsPerSecond", "rows/s"), ("seconds", "seconds")):
        figures = result.get(name)
        if isinstance(figures, dict):
            known = [(phase, figures[phase]) for phase in PHASES if phase in figures]
            rows.append((label, ", ".join(f"{phase} {value:,}" for phase, value in known)))
    if "sha256" in result:
        rows.append((_words("sha256"), str(result["sha256"])))
    say_columns([*rows, ("job", job.id), ("database", database)])
    rejects = _list(result.get("rejects"))
    _show_each(rejects, "path", "reason")
    if rejects:
        _show_more(rejects, result.get("rejected"), "records that cannot be imported")
    if isinstance(changes, dict):
        conflicts, vanished = _list(changes.get("firstConflicts")), _list(changes.get("firstVanished"))
        _show_each(conflicts, "id", "reason")
        _show_more(conflicts, changes.get("conflicts"), "conflicts")
        for item_id in vanished:
            say(f"  {item_id}: has vanished from the source and is still here")
        _show_more(vanished, changes.get("vanished"), "that have vanished")


def show_ended(
    job: JobView, what: str, figures: Sequence[str], database: str, *, conflicts: str = ""
) -> None:
    """How a job ended: one line, then those figures of its result that it has, then what stood against it."""
    result: JsonObject = job.result or {}
    out.print(f"[{COLOURS.get(job.state, 'white')}]{escape(f'{what} {job.state}')}[/]", soft_wrap=True)
    if job.error:
        say(job.error)
    known = [(name, result[name]) for name in figures if name in result]
    rows = [(_words(name), f"{value:,}" if isinstance(value, int) else str(value)) for name, value in known]
    say_columns([*rows, ("job", job.id), ("database", database)])
    _show_each(result.get("firstDecided"), "id", "reason")
    against = _list(result.get(conflicts))
    for each in against:
        if isinstance(each, dict):
            say(f"  {each.get('entity')} {each.get('id')} {each.get('what')}")
    _show_more(against, result.get("conflicts"), "conflicts")


def _show_each(told: JsonValue, name: str, reason: str) -> None:
    for each in _list(told):
        if isinstance(each, dict):
            say(f"  {each.get(name)}: {each.get(reason)}")


def _show_more(told: Sequence[JsonValue], total: JsonValue, what: str) -> None:
    """That the named ones are not all."""
    if isinstance(total, int) and total > len(told):
        say(f"  and {total - len(told):,} more {what}")


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def show_jobs(jobs: Sequence[JobView], total: int, next_runs: Sequence[NextRun]) -> None:
    rows = [
        (job.id, job.kind, job.state, job.phase or "", _rows(job), moment(job.created_at)) for job in jobs
    ]
    say_columns([("id", "kind", "state", "phase", "rows", "created"), *rows])
    say(f"{len(jobs)} of {total} jobs")
    if next_runs:
        say("")
        say_columns([("by the clock", "next"), *((run.kind, moment(run.at)) for run in next_runs)])


def show_job(job: JobView, arguments: JsonObject) -> None:
    facts = {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "phase": job.phase,
        "rows": _rows(job),
        "rejected": f"{job.rejected:,}",
        "actor": job.actor,
        "created": moment(job.created_at),
        "started": moment(job.started_at),
        "finished": moment(job.finished_at),
        "attempts": str(job.attempts),
        "error": job.error,
        **{f"argument {name}": str(value) for name, value in arguments.items()},
        **{f"result {name}": str(value) for name, value in (job.result or {}).items()},
    }
    say_columns([(name, value) for name, value in facts.items() if value])


def say_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Aligned, and never cut or wrapped: ids are there to be copied."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rows(job: JobView) -> str:
    return f"{job.done:,}" + (f" of {job.total:,}" if job.total is not None else "")


def duration(seconds: float) -> str:
    """`8 s`, `2:05`, `1:02:05`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{minutes.zfill(5)}" if hours else minutes


def moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _words(name: str) -> str:
    if name == "sha256":
        return "SHA-256"
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
