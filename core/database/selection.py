"""The `include` and `select` of a call: related rows, and the columns of a partial model."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from prisma._builder import _prisma_model_for_field
from prisma._compat import model_fields
from prisma.errors import FieldNotFoundError, MissingRequiredValueError, UnknownRelationalFieldError
from pydantic import BaseModel


def selection(model: type[BaseModel], include: Mapping[str, Any] | None) -> dict[str, Any]:
    """Argument `include`, or `select` where a partial model asks for its own columns: JavaScript's client
    takes one of the two. None in it means absent. Raises UnknownRelationalFieldError, and TypeError for what
    is neither a flag nor arguments.
    """
    columns = _columns_of_partial(model)
    if include is None and columns is None:
        return {}
    related, included = _related_models(model), dict[str, Any]()
    for name, value in (include or {}).items():
        if value is False:
            continue
        if value is not True and not isinstance(value, dict):
            raise TypeError(f"Expected `bool` or `dict` include value but got {type(value)} instead.")
        if name not in related:
            raise UnknownRelationalFieldError(model=model.__name__, field=name)
        asked = {} if value is True else {key: each for key, each in value.items() if each is not None}
        asked |= selection(related[name], asked.pop("include", None))
        included[name] = asked or True
    if columns is not None:
        return {"select": dict.fromkeys(columns, True) | included}
    return {"include": included} if included else {}


def missing_relation(
    error: FieldNotFoundError, model: type[BaseModel], arguments: dict[str, Any]
) -> MissingRequiredValueError | None:
    """The meaning of the error where it is about a relation that is None, which no write takes."""
    unknown = re.search(r"Unknown argument `(\w+)`", str(error))
    if unknown is None or not _is_unset(unknown[1], arguments, model):
        return None
    return MissingRequiredValueError(error.data, message=f"Argument `{unknown[1]}` must not be null.")


def _is_unset(relation: str, value: object, model: type[BaseModel]) -> bool:
    if isinstance(value, list):
        return any(_is_unset(relation, each, model) for each in value)
    if not isinstance(value, dict):
        return False
    related = _related_models(model)
    if relation in related and value.get(relation, ...) is None:
        return True
    return any(_is_unset(relation, each, related.get(key, model)) for key, each in value.items())


@cache
def _related_models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Related models by the field of the relation."""
    found = {
        name: _prisma_model_for_field(info, name=name, parent=model)
        for name, info in model_fields(model).items()
    }
    return {name: related for name, related in found.items() if related is not None}


@cache
def _columns_of_partial(model: type[BaseModel]) -> tuple[str, ...] | None:
    """Names of the scalar fields of a partial model, or None for a generated one, which has them all."""
    if model.__module__.endswith(".models"):
        return None
    return tuple(name for name in model_fields(model) if name not in _related_models(model))
