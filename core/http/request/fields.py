"""Fields of requests and responses: optional ones, whose OpenAPI schema has no null in it, and fractions."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

LARGEST: Final = 1e15


def is_none(value: object) -> bool:
    return value is None


def without_default(schema: dict[str, Any]) -> None:
    """Hook for `json_schema_extra`: a field that may be left out of a request but is never null has no
    default to publish.
    """
    schema.pop("default", None)


def without_null(schema: dict[str, Any]) -> None:
    """Hook for `json_schema_extra` of a response's field with `exclude_if=is_none`: it is never null."""
    schema.pop("default", None)
    choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        schema.update(choices[0])
    elif choices:
        schema["anyOf"] = choices


LEFT_OUT_IF_NONE: Final[dict[str, Any]] = {"exclude_if": is_none, "json_schema_extra": without_null}
"""Arguments of `Field` for a field of a response that is left out when it has no value."""


def always_there(*names: str) -> Callable[[dict[str, Any]], None]:
    """Hook for `json_schema_extra` of a response's model: fields that have a default in the code and are sent
    with every response, which a reader may rely on.
    """

    def publish(schema: dict[str, Any]) -> None:
        for name in names:
            schema["properties"][name].pop("default", None)
        schema["required"] = [*names, *(name for name in schema.get("required", ()) if name not in names)]

    return publish


def _in_range(value: float) -> float:
    if not 0 <= value <= LARGEST:
        raise PydanticCustomError("measure", "must be between 0 and 1e15")
    return value


Measure = Annotated[float, AfterValidator(_in_range)]
"""Number between 0 and 1e15, where all programs that write the fewest digits write the same ones. Beyond
2**53 the middle between two neighbours, which some take for one of them, can have fewer digits than both.
"""
