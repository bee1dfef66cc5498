"""`handover import questdb` and `handover import postgres`: taking the old documentation registry over."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.choices import one_of
from core.commands.takeover import clear_the_way, kinds

if TYPE_CHECKING:
    from core.jobs import JobView
    from features.imports.api import RegistryOptions

Conflict = Literal["skip", "overwrite", "fail"]
FilesFolder = Annotated[
    Path | None,
    typer.Option("--files", help="The folder with the files' bytes. Without it files are rejected."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check: writes nothing but the job.")]
OnConflict = Annotated[
    Conflict,
    typer.Option(help="What to do with ids that are stored already.", **one_of("skip", "overwrite", "fail")),
]
MaxRejects = Annotated[
    int | None, typer.Option(min=0, help="Load nothing when more rows than this are unusable.")
]

_TABLES = (
    "documentation_systems",
    "documentation_ideas",
    "documentation_files",
    "documentation_audit_log",
)
_FOUND = ("records", "superseded", "rejected")
_DONE = (*_FOUND, "imported", "updated", "unchanged", "kept", "verified")


def questdb(
    source: Annotated[
        str, typer.Argument(help="A folder of CSV files as /exp writes them, or postgresql://HOST:8812.")
    ],
    files: FilesFolder = None,
    dry_run: DryRun = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
) -> None:
    """Import systems, ideas, files and audit log of an old registry in QuestDB. Running it again is safe.

    The tables are captured first, and judged whole before anything is written; of a row in several versions
    the newest counts. Afterwards every row and every file is compared with the source. A password belongs
    into PGPASSWORD, where no list of processes shows it.
    """
    from features.imports.api import RegistryOptions

    _run(
        source,
        RegistryOptions(
            source="questdb",
            dry_run=dry_run,
            on_conflict=on_conflict,
            max_rejects=max_rejects,
            files=files,
        ),
    )


def postgres(
    url: Annotated[str, typer.Argument(help="postgresql://USER@HOST:PORT/DATABASE of the old registry.")],
    files: FilesFolder = None,
    dry_run: DryRun = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
) -> None:
    """Import systems, ideas, files and audit log of an old registry in PostgreSQL. Running it again is safe.

    All tables are read in one snapshot. `?schema=NAME` names another schema. For the rest see
    `handover import questdb --help`.
    """
    from features.imports.api import RegistryOptions

    _run(
        url,
        RegistryOptions(
            source="postgres",
            dry_run=dry_run,
            on_conflict=on_conflict,
            max_rejects=max_rejects,
            files=files,
        ),
    )


def _run(source: str, options: "RegistryOptions") -> None:
    job = asyncio.run(_import(source, options))
    if job.state != "succeeded":
        raise typer.Exit(1)


async def _import(source: str, options: "RegistryOptions") -> "JobView":
    from core import console
    from core.command import command_context
    from features.imports.api import accept_registry

    async with command_context(kinds) as here:
        await clear_the_way(here, f"import.{options.source}")
        with console.out.status("capture") as status:
            job = await accept_registry(
                here.db,
                here.jobs,
                here.settings,
                here.actor,
                source,
                options,
                lambda table, rows: status.update(f"capture   {table}: {rows:,} rows"),
            )
        unknown = job.arguments.get("unknown")
        for table, columns in unknown.items() if isinstance(unknown, dict) else ():
            names = ", ".join(map(str, columns)) if isinstance(columns, list) else ""
            console.say(f"{table} has unknown columns, kept in legacy: {names}")
        job = await console.run_shown(here.jobs, job.id)
        console.show_summary(job, here.database)
        _show_tables(job)
        return job


def _show_tables(job: "JobView") -> None:
    """What became of each table, and what its rows could not be taken over as they were."""
    from core.console import say, say_columns

    tables = (job.result or {}).get("tables")
    if not isinstance(tables, dict):
        return
    names = (*_FOUND, "existing") if job.arguments.get("dryRun") else _DONE
    rows: list[tuple[str, ...]] = [("table", *names)]
    changes: list[tuple[str, ...]] = [("column", "what", "rows")]
    for table in _TABLES:
        figures = tables.get(table)
        if isinstance(figures, dict):
            rows.append((table, *(f"{figures[name]:,}" for name in names)))
            for what in ("translated", "adapted"):
                counts = figures.get(what)
                for column, count in counts.items() if isinstance(counts, dict) else ():
                    changes.append((f"{table}.{column}", what, f"{count:,}"))
    say_columns(rows)
    absent = (job.result or {}).get("absent")
    for missing in absent if isinstance(absent, list) else []:
        say(f"{missing} is not in the source")
    if changes[1:]:
        say_columns(changes)
        say("The original values are kept in each row's legacy JSON.")
