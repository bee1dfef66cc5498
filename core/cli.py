"""Command `handover`. It works whether or not a server runs on the same data folder or database."""

import asyncio
import atexit
import gc
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import structlog
import typer
from typer.core import TyperGroup

from core.database_url import place_of
from core.observability import logging
from core.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.feature import Feature

SLICES: Final = Path(__file__).resolve().parents[1] / "features"


class Commands(TyperGroup):
    """All commands. What pydantic says of a value that cannot be taken is said in our words."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override] # a Context of typer
        try:
            return super().invoke(ctx)
        except typer.BadParameter as refused:
            from pydantic import ValidationError

            from core.http.request.validation import field_errors

            if isinstance(refused.__cause__, ValidationError):
                [problem, *_] = field_errors(refused.__cause__.errors(include_url=False))
                refused.message = f"{problem.message.removesuffix('.')}."
            raise


app = typer.Typer(
    name="handover",
    cls=Commands,
    help=(
        "One service that takes over the idea bank and the documentation registry. Settings: environment and "
        ".env, see .env.example."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(help="Deploy, compare and extend the database's schema.", no_args_is_help=True)
app.add_typer(database, name="db")
for commands in sorted(SLICES.glob("*/commands*")):
    app.add_typer(import_module(f"features.{commands.parent.name}.commands").app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"handover {version('handover')}")
        raise typer.Exit


@app.callback()
def prepare(
    ctx: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Runs before every command, whose `ctx.obj` gives all features."""
    from core.command import ensure_generated

    ensure_generated()
    ctx.obj = _features


def _features() -> "Sequence[Feature]":
    from core.app import FEATURES

    return FEATURES


@app.command()
def openapi() -> None:
    """Print the OpenAPI document as JSON, for generators of clients. Needs no server and no database."""
    from core.app import create_app

    typer.echo(json.dumps(create_app(load_settings()).openapi(), indent=2, ensure_ascii=False))


@app.command()
def serve(
    stop_with_parent: Annotated[
        bool, typer.Option("--stop-with-parent", help="Stop when the process that started this one ends.")
    ] = False,
) -> None:
    """Serve the API on HOST and PORT until Ctrl-C or SIGTERM.

    Starts an embedded PostgreSQL and Redis under DATA_DIR unless DATABASE_URL and REDIS_URL are set, and
    brings the database's schema up to date first.
    """
    from core.server import serve as server

    settings = load_settings()
    server.serve(settings, lambda url: _announce(url, settings), stop_with_parent=stop_with_parent)


def _announce(url: str, settings: Settings) -> None:
    """Tell that it serves: to a person at the terminal by a banner, in a log of JSON by an event."""
    if not logging.writes_text(settings):
        structlog.get_logger("handover.app").info("app.serving", url=url, data_dir=str(settings.data_dir))
        return
    embedded = [
        name
        for name, given in (("PostgreSQL", settings.database_url), ("Redis", settings.redis_url))
        if given is None
    ]
    lines = [
        "Handover serves",
        f"  Console {url}/console",
        f"  API     {url}/api/items",
        f"  Docs    {url}/docs",
        f"  Health  {url}/health",
    ]
    if settings.admin_port is not None:
        lines[-1:] = [f"  Health  http://{settings.admin_host}:{settings.admin_port}/health, and /metrics"]
    if embedded:
        lines.append(f"  Data    {settings.data_dir} (embedded {' and '.join(embedded)})")
    if settings.database_url is not None:
        lines.append(f"  Uses    PostgreSQL at {place_of(settings.database_url)}")
    if settings.redis_url is not None and settings.uses_redis:
        lines.append(f"  Uses    Redis at {asyncio.run(_redis_place(settings.redis_url))}")
    typer.echo("\n".join([*lines, "Ctrl-C stops it."]))


async def _redis_place(url: str) -> str:
    """Address of Redis, with a warning if it is unreachable or refuses: without it the service is slower, so
    that has to be seen here.
    """
    from redis.exceptions import AuthenticationError, RedisError, ResponseError

    from core.cache.redis import connect

    try:
        async with connect(url, 1) as redis:
            await redis.ping()
    except (OSError, RedisError) as error:
        fault = "refuses us" if isinstance(error, ResponseError | AuthenticationError) else "unreachable"
        return f"{place_of(url)} ({fault} now, so reads are slower: {type(error).__name__})"
    return place_of(url)


@database.command("deploy")
def deploy() -> None:
    """Apply the migrations that the database lacks."""
    from core.command import database_url
    from core.database import schema

    with database_url() as url:
        applied = asyncio.run(schema.deploy(url))
    for name in applied:
        typer.echo(f"applied {name}")
    typer.echo("The database is up to date.")


@database.command("new")
def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Lower-case letters, digits and underscores, such as add_owner."),
    ],
) -> None:
    """Write the next migration from what prisma/schema has and prisma/migrations lacks. Read its SQL before
    use.
    """
    from core.command import empty_database_url
    from core.database import schema

    with empty_database_url() as url:
        path = asyncio.run(schema.new(url, name))
    typer.echo("The schema holds nothing new." if path is None else f"wrote {path}")


@database.command("status")
def status() -> None:
    """Show which migrations the database has and lacks; exit code 1 when it is not up to date."""
    from core.command import database_url
    from core.database import schema

    with database_url() as url:
        found = asyncio.run(schema.status(url))
    for label in ("applied", "missing", "edited", "failed", "unknown"):
        for name in getattr(found, label):
            typer.echo(f"{label:8} {name}")
    if found.missing or found.failed:
        typer.echo("`handover db deploy` applies what is missing or has failed.")
    if found.unknown:
        typer.echo("The unknown ones are of a newer version, on whose schema this one runs.")
    if not found.up_to_date:
        raise typer.Exit(1)
    typer.echo("The database is up to date.")


@database.command("check")
def check() -> None:
    """Fail when prisma/migrations does not lead to prisma/schema. Uses a database of its own, thrown away
    after.
    """
    from core.command import empty_database_url
    from core.database import schema

    with empty_database_url() as url:
        sql = asyncio.run(schema.difference(url))
    if sql:
        typer.echo(sql)
        raise schema.SchemaError("The migrations do not lead to the schema; run `handover db new NAME`.")
    typer.echo("The migrations lead to the schema.")


def main() -> None:
    """Run the command. Errors that a person can do something about become one sentence; any other is a fault
    and keeps its trace.
    """
    from core.processes import keep_files_private
    from core.server.embedded.server import StartError

    keep_files_private()
    # What a command imports stays: looking through it for garbage again and again takes a fifth of its start.
    gc.set_threshold(100_000)
    # What lives until the end goes with the process: collecting it first would take half a second.
    atexit.register(gc.freeze)
    try:
        app()
    except (SettingsError, StartError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # Imported late: these need the generated clients, and the commands that raise them have loaded them.
        from core.database.schema import SchemaError
        from core.errors import HandoverError

        if not isinstance(error, SchemaError | HandoverError):
            raise
        _fail(str(error))


def _fail(sentence: str) -> None:
    sys.stderr.write(f"handover: {sentence}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
