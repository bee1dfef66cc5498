"""Options of commands that take one of a few words."""

from typing import Any

import typer


def one_of(*words: str) -> dict[str, Any]:
    """Arguments of `typer.Option`: its own message for a wrong choice begins with "Value error"."""

    def parse(given: str) -> str:
        if given not in words:
            raise typer.BadParameter(f"{given!r} is none of {', '.join(words)}.")
        return given

    return {"parser": parse, "metavar": "|".join(words)}
