"""Command `handover jobs`: background jobs, also while no server runs."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pydantic import JsonValue

    from core.jobs import Jobs, JobView, JsonObject

_STATES: Final = ("queued", "running", "succeeded", "failed", "cancelled")
_COLUMNS: Final = 100
_LONGEST_VALUE: Final = 48

app = typer.Typer()
jobs = typer.Typer(help="Look at background jobs and cancel them.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")


@jobs.command("list")
def list_jobs(
    ctx: typer.Context,
    state: Annotated[
        Literal["queued", "running", "succeeded", "failed", "cancelled"] | None,
        typer.Option(help=f"Only these: {', '.join(_STATES)}.", metavar="STATE"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
) -> None:
    """List the newest jobs, and what the clock begins next."""
    from core.command import command_context
    from features.jobs.queries import next_runs

    async def work() -> None:
        async with command_context(ctx.obj) as here:
            page = await here.jobs.list(state=state, limit=limit)
            runs = await next_runs(here.db, here.jobs.clock.kinds)
            _show_jobs(here.jobs, page.jobs, page.total, runs)

    asyncio.run(work())


@jobs.command("show")
def show(ctx: typer.Context, job_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show one job with its figures, error and result."""
    from core.command import command_context

    async def work() -> None:
        async with command_context(ctx.obj) as here:
            job = await here.jobs.get(job_id)
            _show_job(job, here.jobs.public_arguments(job))

    asyncio.run(work())


@jobs.command("cancel")
def cancel(ctx: typer.Context, job_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Cancel a job: a queued one ends at once, a running one at its next batch."""
    from core.command import command_context

    async def work() -> None:
        async with command_context(ctx.obj) as here:
            job = await here.jobs.cancel(job_id, here.actor)
            if not job.ended and await here.jobs.is_orphaned(job_id):
                job = await here.jobs.run(job_id)
            typer.echo(f"Job {job.id} is {'cancelled' if job.ended else 'being cancelled'}.")

    asyncio.run(work())


def _show_jobs(
    jobs: "Jobs", page: "Sequence[JobView]", total: int, next_runs: "Mapping[str, datetime]"
) -> None:
    from core.console import columns, moment, say, say_columns

    # Whole ids, and a line of them fits a terminal of 100 columns.
    rows = [(job.id, job.kind, job.state, _done(job), moment(job.created_at)[:16]) for job in page]
    head, *lines = columns([("id", "kind", "state", "rows", "created (UTC)"), *rows])
    say(head)
    for line, job in zip(lines, page, strict=True):
        say(line)
        if about := _about(job, jobs.public_arguments(job)):
            say(f"  {about}")
    say(f"{len(page)} of {total} jobs")
    if next_runs:
        say("")
        say_columns([("by the clock", "next"), *((kind, moment(at)) for kind, at in next_runs.items())])


def _show_job(job: "JobView", arguments: "JsonObject") -> None:
    from core.console import moment, say_columns

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
        **{f"argument {name}": _text(value) for name, value in arguments.items()},
        **{f"result {name}": _text(value) for name, value in (job.result or {}).items()},
    }
    say_columns([(name, value) for name, value in facts.items() if value])


def _about(job: "JobView", arguments: "JsonObject") -> str:
    """Subject of the job in a line: what was chosen, such as a dry run, then values."""
    from features.jobs.api.terminal import words

    known = job.kind.split(".")
    chosen = [words(name) for name, value in arguments.items() if value is True]
    values = [
        f"{words(name)} {_cut(value, _LONGEST_VALUE)}"
        for name, value in arguments.items()
        if isinstance(value, str) and value not in known and name != "sha256"
    ]
    return _cut(", ".join((*chosen, *values)), _COLUMNS - 2)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


def _text(value: "JsonValue") -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _done(job: "JobView") -> str:
    return f"{job.done:,}" + (f" {100 * job.done // job.total}%" if job.total and not job.ended else "")


def _rows(job: "JobView") -> str:
    return f"{job.done:,}" + (f" of {job.total:,}" if job.total is not None else "")
