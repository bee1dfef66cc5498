"""Commands of the old registry: `handover import questdb`, `import postgres` and `verify registry`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from features.imports.commands.options import (
    DryRun,
    MaxRejects,
    OnConflict,
    SinceLast,
    chosen,
    imports,
    verification,
)

if TYPE_CHECKING:
    from core.command import CommandContext, Features
    from core.jobs import JobView
    from features.imports.comparison.schemas import Compared

Store = Literal["questdb", "postgres"]
FilesFolder = Annotated[
    Path | None,
    typer.Option("--files", help="The folder with the files' bytes. Without it files are rejected."),
]


@imports.command("questdb")
def questdb(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A folder of CSV files as /exp writes them, or postgresql://HOST:8812."
        ),
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
    _run(ctx.obj, source, files, chosen(dry_run, since_last, on_conflict, max_rejects, source="questdb"))


@imports.command("postgres")
def postgres(
    ctx: typer.Context,
    url: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="postgresql://USER@HOST:PORT/DATABASE, or a folder of its tables as CSV with a header.",
        ),
    ],
    files: FilesFolder = None,
    dry_run: DryRun = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
    since_last: SinceLast = False,
) -> None:
    """Import systems, ideas, files and audit log of an old registry in PostgreSQL. Running it again is safe.

    All tables of a URL are read in one snapshot. `?schema=NAME` names another schema. For the rest see
    `handover import questdb --help`.
    """
    _run(ctx.obj, url, files, chosen(dry_run, since_last, on_conflict, max_rejects, source="postgres"))


@verification.command("registry")
def verify(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A folder of CSV files, or the URL of the old QuestDB or PostgreSQL."
        ),
    ],
    files: FilesFolder = None,
    store: Annotated[
        Store | None,
        typer.Option(
            "--source",
            help="What the source is of; without it folders and port 8812 are QuestDB's.",
        ),
    ] = None,
) -> None:
    """Compare an old registry with what is stored and print every difference. Writes nothing; exit code 1 if
    any.
    """
    from features.imports.commands.shown import end_comparison

    compared = asyncio.run(_verify(source, files, store))
    for table in compared.absent:
        typer.echo(f"{table} is not in the source")
    end_comparison(compared, f"{compared.records:,} records and {compared.stored:,} rows here")


async def _verify(source: str, files: Path | None, store: Store | None) -> "Compared":
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
    files: Path | None,
    choices: dict[str, object],
) -> None:
    from core.console import out
    from features.imports.commands.running import end_with, run_import

    async def accept(here: "CommandContext") -> "JobView":
        from features.imports.registry.accept import accept_registry
        from features.imports.schemas import RegistryOptions

        options = RegistryOptions.model_validate({"files": files, **choices})
        with out.status("capture") as status:
            return await accept_registry(
                here.db,
                here.jobs,
                here.settings,
                here.actor,
                source,
                options,
                lambda table, rows: status.update(f"capture   {table}: {rows:,} rows"),
            )

    end_with(asyncio.run(run_import(features, features, accept)))
