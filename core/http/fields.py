"""Fields of answers and requests that may be missing, and how OpenAPI says so: without a null in it."""

from typing import Any


def is_none(value: object) -> bool:
    return value is None


def without_default(schema: dict[str, Any]) -> None:
    """For `json_schema_extra`: a field that may be left out of a request but is never null has no default to
    publish.
    """
    schema.pop("default", None)


def without_null(schema: dict[str, Any]) -> None:
    """For `json_schema_extra` of a field that an answer leaves out when it has no value
    (`exclude_if=is_none`).
    """
    schema.pop("default", None)
    choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        schema.update(choices[0])
    elif choices:
        schema["anyOf"] = choices
