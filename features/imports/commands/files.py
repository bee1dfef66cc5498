"""Commands about files: `handover import lowdb`, `import csv` and `verify lowdb`."""

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
    from collections.abc import Sequence

    from core.command import CommandContext, Features
    from core.feature import Feature
    from core.jobs import JobView
    from features.imports.comparison.schemas import Compared

LowDbFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The LowDB file: a JSON object with a list of items, or a bare list."
    ),
]


@imports.command("lowdb")
def import_lowdb(
    ctx: typer.Context,
    file: LowDbFile,
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
    _run(ctx.obj, file, chosen(dry_run, since_last, on_conflict, max_rejects, source="lowdb"))


@imports.command("csv")
def import_csv(
    ctx: typer.Context,
    file: Annotated[
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
    given = {"source": "csv", "into": into, "map": ",".join(columns) if columns else {}}
    _run(ctx.obj, file, chosen(dry_run, since_last, on_conflict, max_rejects, **given))


def _files() -> "Sequence[Feature]":
    """The feature with the jobs that are needed: all features would import the modules of the whole app."""
    from core.feature import Feature
    from features.imports.jobs import JOBS

    return [Feature("imports", jobs=JOBS)]


def _run(features: "Features", file: Path, given: dict[str, object]) -> None:
    from features.imports.commands.running import end_with, run_import

    async def accept(here: "CommandContext") -> "JobView":
        from features.imports.errors import UploadInvalid
        from features.imports.schemas import FileOptions
        from features.imports.service import accept_file, valid

        try:
            options = valid(FileOptions, given)
        except UploadInvalid as error:
            raise typer.BadParameter(error.details[0].message, param_hint=error.details[0].field) from None
        return await accept_file(here.db, here.jobs, here.settings, here.actor, file, options)

    end_with(asyncio.run(run_import(_files, features, accept)))


@verification.command("lowdb")
def verify_lowdb(file: LowDbFile) -> None:
    """Compare a LowDB file with the items and print every difference. Writes nothing; exit code 1 if any."""
    from features.imports.commands.shown import end_comparison

    compared = asyncio.run(_verify(file))
    end_comparison(compared, f"{compared.records:,} records and {compared.stored:,} items")


async def _verify(file: Path) -> "Compared":
    from core.command import command_context
    from features.imports.commands.shown import show_difference
    from features.imports.comparison.compare import compare
    from features.imports.lowdb.source import LowDbSource
    from features.imports.schemas import FileArguments
    from features.imports.service import readable_file

    path = readable_file(file)
    source = LowDbSource(FileArguments(source="lowdb", filename=file.name, path=str(path)), path.parent)
    async with command_context(list) as here:
        return await compare(here.db, source, lambda each: show_difference(each, "file"))
