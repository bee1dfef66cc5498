"""Commands of the old registry: `handover import questdb`, `import postgres` and `verify registry`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.choices import one_of
from features.imports.commands.options import (
    Conflict,
    DryRun,
    MaxRejects,
    OnConflict,
    SinceLast,
    imports,
    one_way,
    verification,
)

if TYPE_CHECKING:
    from core.command import Features
    from core.jobs import JobView
    from features.imports.pipeline.comparison import Compared
    from features.imports.schemas import RegistryOptions, Table

Store = Literal["questdb", "postgres"]
FilesFolder = Annotated[
    Path | None,
    typer.Option("--files", help="The folder with the files' bytes. Without it files are rejected."),
]

_TABLES = (
    "documentation_systems",
    "documentation_ideas",
    "documentation_files",
    "documentation_audit_log",
)
_FOUND = ("records", "superseded", "rejected")
_DONE = (*_FOUND, "imported", "updated", "unchanged", "kept", "verified")
_CHANGES = ("new", "changed", "unchanged", "conflicts", "vanished")


@imports.command("questdb")
def questdb(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A folder of CSV files as /exp writes them, or postgresql://HOST:8812.")
    ],
    files: FilesFolder = None,
    dry_run: DryRun = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
    since_last: SinceLast = False,
) -> None:
    """Import systems, ideas, files and audit log of an old registry in QuestDB. Running it again is safe.

    The tables are captured first, and judged whole before anything is written; of a row in several versions
    the newest counts. Afterwards every row and every file is compared with the source. A password belongs
    into PGPASSWORD, where no list of processes shows it.

    With --since-last a row that has changed both in the source and here is a conflict: it is named and left
    alone. So are rows that have vanished from the source.
    """
    _run(ctx.obj, source, "questdb", files, dry_run, on_conflict, max_rejects, since_last)


@imports.command("postgres")
def postgres(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="postgresql://USER@HOST:PORT/DATABASE of the old registry.")],
    files: FilesFolder = None,
    dry_run: DryRun = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
    since_last: SinceLast = False,
) -> None:
    """Import systems, ideas, files and audit log of an old registry in PostgreSQL. Running it again is safe.

    All tables are read in one snapshot. `?schema=NAME` names another schema. For the rest see
    `handover import questdb --help`.
    """
    _run(ctx.obj, url, "postgres", files, dry_run, on_conflict, max_rejects, since_last)


@verification.command("registry")
def verify(
    source: Annotated[
        str, typer.Argument(help="A folder of CSV files, or the URL of the old QuestDB or PostgreSQL.")
    ],
    files: FilesFolder = None,
    store: Annotated[
        Store | None,
        typer.Option(
            "--source",
            help="What the URL leads to; without it port 8812 is QuestDB's.",
            **one_of("questdb", "postgres"),
        ),
    ] = None,
) -> None:
    """Compare an old registry with what is stored and print every difference. Writes nothing; exit code 1 if
    any.
    """
    from features.imports.commands.shown import end_comparison

    compared, absent = asyncio.run(_verify(source, files, store))
    for table in absent:
        typer.echo(f"{table} is not in the source")
    end_comparison(compared, f"{compared.records:,} records and {compared.stored:,} rows here")


async def _verify(source: str, files: Path | None, store: Store | None) -> "tuple[Compared, list[Table]]":
    from core.command import command_context
    from features.imports.commands.shown import show_difference
    from features.imports.registry.accept import compare_registry
    from features.imports.registry.live import guessed_source
    from features.imports.schemas import RegistryOptions

    options = RegistryOptions(source=store or guessed_source(source), files=files)
    async with command_context(list) as here:
        return await compare_registry(
            here.db, here.settings, source, options, lambda each: show_difference(each, "source")
        )


def _run(
    features: "Features",
    source: str,
    store: Store,
    files: Path | None,
    dry_run: bool,
    on_conflict: Conflict,
    max_rejects: int | None,
    since_last: bool,
) -> None:
    from features.imports.commands.shown import end_with
    from features.imports.schemas import RegistryOptions

    one_way(on_conflict, since_last=since_last)
    options = RegistryOptions(
        source=store,
        files=files,
        dry_run=dry_run,
        on_conflict=on_conflict,
        max_rejects=max_rejects,
        since_last=since_last,
    )
    end_with(asyncio.run(_import(features, source, options)))


async def _import(features: "Features", source: str, options: "RegistryOptions") -> "JobView":
    from core import console
    from core.command import command_context
    from features.imports.commands.shown import clear_the_way, show_summary
    from features.imports.registry.accept import accept_registry

    async with command_context(features) as here:
        await clear_the_way(here, features, f"import.{options.source}")
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
        show_summary(job, here.database)
        _show_tables(job)
        return job


def _show_tables(job: "JobView") -> None:
    """Print the figures of each table, and by column how many rows were translated or adapted."""
    from core.console import say, say_columns

    tables = (job.result or {}).get("tables")
    if not isinstance(tables, dict):
        return
    names: tuple[str, ...] = (*_FOUND, "existing") if job.arguments.get("dryRun") else _DONE
    if job.arguments.get("sinceLast"):
        names = (*_FOUND, *_CHANGES)
    rows: list[tuple[str, ...]] = [("table", *names)]
    words: list[tuple[str, ...]] = [("column", "what", "rows")]
    for table in _TABLES:
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
