"""Command `handover demo`."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from core.command import Features

app = typer.Typer()


@app.command()
def demo(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Even if the registry holds other data.")] = False,
) -> None:
    """Fill an empty registry with systems, ideas, items and files to look at, and sixty days of history.

    Running it again adds only what is missing.
    """
    asyncio.run(_demo(ctx.obj, force=force))


async def _demo(features: "Features", *, force: bool) -> None:
    from core.command import command_context
    from features.demo.service import fill

    async with command_context(features) as here:
        added = await fill(here.db, here.cache, here.jobs, here.settings, features(), force=force)
        typer.echo(f"The database is {here.database}.\nAdded {added}.")
