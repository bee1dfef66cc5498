"""Command groups `import` and `verify`, and the options that their commands share."""

from typing import Annotated, Literal

import typer

imports = typer.Typer(help="Bring legacy data in, and take it back.", no_args_is_help=True)
verification = typer.Typer(help="Compare a legacy source with what is stored.", no_args_is_help=True)

Conflict = Literal["skip", "overwrite", "fail"]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check: writes nothing but the job.")]
SinceLast = Annotated[
    bool, typer.Option("--since-last", help="Only what has changed in the source since the last import.")
]
OnConflict = Annotated[
    Conflict,
    typer.Option(help="What to do with ids that are stored already."),
]
MaxRejects = Annotated[
    int | None, typer.Option(min=0, help="Load nothing when more records than this are unusable.")
]


def chosen(
    dry_run: bool, since_last: bool, on_conflict: Conflict, max_rejects: int | None, **more: object
) -> dict[str, object]:
    """Options of an import. Raises BadParameter for --since-last with --on-conflict: it leaves conflicts
    alone.
    """
    if since_last and on_conflict != "skip":
        raise typer.BadParameter("cannot be chosen together with --since-last", param_hint="--on-conflict")
    choices = {"dry_run": dry_run, "since_last": since_last, "on_conflict": on_conflict}
    return {**choices, "max_rejects": max_rejects, **more}
