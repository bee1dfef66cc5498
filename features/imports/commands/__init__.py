"""Commands `handover import` and `handover verify`. A command imports its modules when it runs.

running.py       jobs and comparisons as commands run them, to their end
shown.py         summaries and differences
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

imports = typer.Typer(help="Bring legacy data in, and take it back.", no_args_is_help=True)
verification = typer.Typer(help="Compare a legacy source with what is stored.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(imports, name="import")
app.add_typer(verification, name="verify")

LowDbFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The LowDB file: a JSON object with a list of items, or a bare list."
    ),
]
FilesFolder = Annotated[
    Path | None,
    typer.Option("--files", help="The folder with the files' bytes. Without it files are rejected."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check: writes nothing but the job.")]
SinceLast = Annotated[
    bool, typer.Option("--since-last", help="Only what has changed in the source since the last import.")
]
OnConflict = Annotated[
    Literal["skip", "overwrite", "fail"],
    typer.Option(help="What to do with ids that are stored already."),
]
MaxRejects = Annotated[
    int | None, typer.Option(min=0, help="Load nothing when more records than this are unusable.")
]


@imports.command("lowdb")
def import_lowdb(
    ctx: typer.Context,
    place: LowDbFile,
    dry_run: DryRun = False,
    since_last: SinceLast = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
) -> None:
    """Import the items of a LowDB file, with live progress. Running it again is safe.

    Every record is checked before anything is written, and afterwards the table is compared with the file
    row by row. Ctrl-C cancels the job; what was loaded until then stays.

    With --since-last a record that has changed both in the file and here is a conflict: it is named and left
    alone. So are records that have vanished from the file.
    """
    _import(ctx, "lowdb")


@imports.command("csv")
def import_csv(
    ctx: typer.Context,
    place: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV file whose first line has the names of its columns."),
    ],
    into: Annotated[
        Literal["items", "ideas", "systems"],
        typer.Option(help="The list that it goes into."),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN,...",
            help="Columns that are not called as their field; FIELD= takes none for it.",
        ),
    ] = None,
    dry_run: DryRun = False,
    since_last: SinceLast = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
) -> None:
    """Import the rows of a spreadsheet, with live progress. Running it again is safe.

    The file has commas, semicolons or tabs, and is UTF-8. Each row is checked as a new one of the API would
    be, whose fields these are; a bad one is named by its line. Rows without an id get new ones, the same
    again when the file is the same. What the file has no column for stays as it is.
    """
    _import(ctx, "csv", map=",".join(columns or ()) or {})


@imports.command("questdb")
def import_questdb(
    ctx: typer.Context,
    place: Annotated[
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
    _import(ctx, "questdb")


@imports.command("postgres")
def import_postgres(
    ctx: typer.Context,
    place: Annotated[
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
    _import(ctx, "postgres")


@imports.command("undo")
def undo(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job of the import.")],
    keep_changed: Annotated[
        bool, typer.Option("--keep-changed", help="Leave what has changed since, take back the rest.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take an import back: delete what it inserted, restore what it overwrote. All of it or nothing.

    When any of it has changed since, nothing happens but that the conflicts are listed; the exit code is 1.
    With --keep-changed such rows stay, and those that they need, and are listed.
    """
    from features.imports.commands.running import undo_import

    _run(undo_import(ctx.obj, job_id, keep_changed=keep_changed, dry_run=dry_run))


@verification.command("lowdb")
def verify_lowdb(file: LowDbFile) -> None:
    """Compare a LowDB file with the items and print every difference. Writes nothing; exit code 1 if any."""
    from features.imports.commands.running import compare_file

    _run(compare_file(file))


@verification.command("registry")
def verify_registry(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A folder of CSV files, or the URL of the old QuestDB or PostgreSQL."
        ),
    ],
    files: FilesFolder = None,
    store: Annotated[
        Literal["questdb", "postgres"] | None,
        typer.Option(
            "--source",
            help="What the source is of; without it folders and port 8812 are QuestDB's.",
        ),
    ] = None,
) -> None:
    """Compare an old registry with what is stored and print every difference. Writes nothing; exit code 1 if
    any.
    """
    from features.imports.commands.running import compare_registry

    _run(compare_registry(source, files, store))


def _import(ctx: typer.Context, source: str, **more: object) -> None:
    """Run an import with the options that its command was given."""
    from features.imports.commands.running import import_file, import_registry

    place, options = ctx.params["place"], {**ctx.params, **more, "source": source}
    if options["since_last"] and options["on_conflict"] != "skip":
        raise typer.BadParameter("cannot be chosen together with --since-last", param_hint="--on-conflict")
    _run((import_file if source in ("lowdb", "csv") else import_registry)(ctx.obj, place, options))


def _run(command: Coroutine[Any, Any, bool]) -> None:
    """Exit code 1 unless all is well."""
    if not asyncio.run(command):
        raise typer.Exit(1)
