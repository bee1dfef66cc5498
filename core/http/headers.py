"""Request headers that a dependency reads by itself, and that are in the OpenAPI document all the same.

A parameter of the framework's `Header` costs each request a twentieth of what a whole write does, which
matters to those that every write asks for.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from fastapi.dependencies.models import Dependant

_NAMES: Final = "reads_headers"

Function = TypeVar("Function", bound=Callable[..., Any])


def reads_header(name: str, description: str, schema: dict[str, Any]) -> Callable[[Function], Function]:
    """Says so of a dependency. Nothing is checked: that is up to whoever reads."""
    header = {"name": name, "in": "header", "required": False, "description": description, "schema": schema}

    def mark(function: Function) -> Function:
        setattr(function, _NAMES, (header, *getattr(function, _NAMES, ())))
        return function

    return mark


def headers_read(dependant: Dependant) -> Iterator[dict[str, Any]]:
    """By a route's function and all that it depends on."""
    yield from getattr(dependant.call, _NAMES, ())
    for each in dependant.dependencies:
        yield from headers_read(each)
