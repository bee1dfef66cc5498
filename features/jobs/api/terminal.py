"""Jobs in a terminal: the live line of one that a command runs, its end, and the rows that it names."""

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from pydantic import JsonValue
from rich.console import RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn
from rich.text import Text

from core.console import out, say, say_columns
from core.jobs import JobEnded, Jobs, JobState, JobView, JsonObject
from core.jobs.views import ENDED, Snapshot

COLOURS: dict[JobState, str] = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
}


class Spinner(SpinnerColumn):
    """Column that turns until the job has ended, in whichever way."""

    def render(self, task: Task) -> RenderableType:
        return Text(" ") if task.fields["ended"] else super().render(task)


class JobProgress(Progress):
    """Live line of a job: phase, bar, rows, per cent, and rows/s and time left as the job itself measured
    them. Use it as a context manager.
    """

    def __init__(self) -> None:
        super().__init__(
            Spinner(),
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.fields[rows]}"),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("[dim]{task.fields[rate]}"),
            console=out,
        )
        self._line = self.add_task("queued", total=None, rows="", rate="", ended=False)

    def stop(self) -> None:
        if self.live.transient:  # nothing is left of the line, not even its end
            self.live.stop()
        else:
            super().stop()

    def show(self, now: Snapshot) -> None:
        of = "" if now.total is None else f" of {now.total:,}"
        done, total = now.done, now.total
        if now.state == "succeeded":  # nothing to do is done, too
            done = total = max(now.done, now.total or 0, 1)
        self.live.transient = now.state in ENDED and not done  # then nothing is left of the line
        rejected = f", {now.rejected:,} rejected" if now.rejected else ""
        rate = None if now.rate is None else f"{now.rate:,.0f} rows/s"
        left = None if now.seconds_left is None else f"{duration(now.seconds_left)} left"
        self.update(
            self._line,
            description="stopping" if now.cancel_requested else now.phase or now.state,
            completed=done,
            total=total,
            rows=f"{now.done:,}{of} rows{rejected}" if now.done or now.total or rejected else "",
            rate=", ".join(filter(None, (rate, left))),
            ended=now.state in ENDED,
        )


async def run_shown(jobs: Jobs, job_id: str) -> JobView:
    """Run the job with live progress and return its last state; a stop signal cancels it."""
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
    """Block in which Ctrl-C or SIGTERM cancels the job, which ends at its next batch; a second ends us."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    cancelling: set[asyncio.Task[None]] = set()

    async def cancel() -> None:
        with suppress(JobEnded):
            await jobs.cancel(job_id, (await jobs.get(job_id)).asked_by)

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


def show_ended(
    job: JobView, what: str, figures: Sequence[str], database: str, *, told: Mapping[str, str] | None = None
) -> None:
    """The end of a job: one line, then the figures that its result has, then the rows that it names. `told`:
    lists of rows in the result, each with the figure that counts them.
    """
    result: JsonObject = job.result or {}
    out.print(f"[{COLOURS.get(job.state, 'white')}]{escape(f'{what} {job.state}')}[/]", soft_wrap=True)
    if job.error:
        say(job.error)
    known = [(name, result[name]) for name in figures if name in result]
    rows = [(words(name), f"{value:,}" if isinstance(value, int) else str(value)) for name, value in known]
    say_columns([*rows, ("job", job.id), ("database", database)])
    show_each(result.get("firstDecided"), "id", "reason")
    for name, figure in (told or {}).items():
        rows_told = list_of(result.get(name))
        for each in rows_told:
            if isinstance(each, dict):
                say(f"  {each.get('entity')} {each.get('id')} {each.get('what')}")
        show_more(rows_told, result.get(figure), figure)


def show_each(told: JsonValue, name: str, reason: str) -> None:
    for each in list_of(told):
        if isinstance(each, dict):
            say(f"  {each.get(name)}: {each.get(reason)}")


def show_more(told: Sequence[JsonValue], total: JsonValue, what: str) -> None:
    """Print how many there are beyond the named ones."""
    if isinstance(total, int) and total > len(told):
        say(f"  and {total - len(told):,} more {what}")


def list_of(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def duration(seconds: float) -> str:
    """Text of a duration: `8 s`, `2:05`, `1:02:05`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{minutes.zfill(5)}" if hours else minutes


def words(name: str) -> str:
    if name == "sha256":
        return "SHA-256"
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
