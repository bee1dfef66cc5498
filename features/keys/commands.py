"""Command `handover keys`: API keys, also while no server runs; the first one can only be made here."""

import asyncio
import re
from datetime import timedelta
from typing import Annotated, Final, Literal

import typer

app = typer.Typer()
keys = typer.Typer(help="Make, list and revoke API keys for AUTH=keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})([mhdw])", text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no duration; write a number and m, h, d or w (minutes to weeks), such as 90d."
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@keys.command("create")
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who will hold it, as the audit trail will tell.")
    ],
    scope: Annotated[
        Literal["read", "write", "admin"],
        typer.Option(help="write includes read, admin includes both."),
    ],
    expires_in: Annotated[
        timedelta | None,
        typer.Option(
            parser=_duration, metavar="DURATION", help="90d, 12h; without it the key does not expire."
        ),
    ] = None,
) -> None:
    """Make a key and show it, this once: it is stored nowhere."""
    from pydantic import ValidationError

    from core.command import command_context
    from core.console import say_columns
    from core.http.request.fields import now, to_iso
    from core.http.request.validation import field_errors
    from features.keys.schemas import CreateKey
    from features.keys.service import create_key

    expires_at = None if expires_in is None else now() + expires_in
    try:
        values = CreateKey(name=name, scope=scope, expires_at=expires_at)
    except ValidationError as error:
        raise typer.BadParameter(field_errors(error.errors())[0].message, param_hint="NAME") from None

    async def work() -> None:
        async with command_context(list) as here:
            made = await create_key(here.db.acting_as(here.actor), here.actor.name, values)
        expires = "never" if made.expires_at is None else to_iso(made.expires_at)
        say_columns(
            [("key", made.key), ("id", made.id), ("name", made.name), ("scope", scope), ("expires", expires)]
        )
        typer.echo("It is shown this once. Send it with each request: Authorization: Bearer KEY", err=True)

    asyncio.run(work())


@keys.command("list")
def show() -> None:
    """List all keys, newest first, without the keys themselves."""
    from core.command import command_context
    from core.console import moment, say_columns
    from core.http.request.fields import now
    from features.keys.queries import find_keys
    from features.keys.schemas import ApiKey

    def state(key: ApiKey) -> str:
        return "valid" if key.valid_at(now()) else "revoked" if key.revoked_at else "expired"

    async def work() -> None:
        async with command_context(list) as here:
            found = await find_keys(here.db)
        rows = [
            (
                key.id,
                key.name,
                key.scope,
                state(key),
                *map(moment, (key.created_at, key.expires_at, key.last_used_at)),
            )
            for key in found
        ]
        say_columns([("id", "name", "scope", "state", "created", "expires", "last used"), *rows])

    asyncio.run(work())


@keys.command("revoke")
def revoke(ctx: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke a key: at once for servers on this host, within seconds for others."""
    from core.command import command_context
    from features.keys.service import revoke_key

    async def work() -> None:
        async with command_context(ctx.obj) as here:
            revoked = await revoke_key(here.db.acting_as(here.actor), key_id)
            typer.echo(f"Key {revoked.id} of {revoked.name} is revoked.")

    asyncio.run(work())
