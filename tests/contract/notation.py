"""The words that the table of promises is written in: shapes as JSON Schema, operations as small records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Schema: TypeAlias = dict[str, Any]
Place = Literal["path", "query", "header"]

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}
UUID: Final[Schema] = {"type": "string", "format": "uuid"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
BYTES: Final[Schema] = {"type": "string", "format": "binary"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
"""As clients may send one: any ISO 8601 timestamp."""
TIME: Final[Schema] = {**INSTANT, "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
"""As answers write one: UTC, three fraction digits, Z."""


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def exactly(value: str | bool) -> Schema:
    return {"const": value}


def many(schema: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": schema, **bounds}


def bounded(schema: Schema, **bounds: object) -> Schema:
    return {**schema, **bounds}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object; whatever other fields it has are nobody's business."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def counts(*names: str) -> Schema:
    """Numbers by name. Names may be missing and others may come."""
    return {"type": "object", "properties": dict.fromkeys(names, WHOLE), "additionalProperties": WHOLE}


def enveloped(data: Schema, **more: Schema) -> Schema:
    return record({"success": exactly(True), **more, "data": data})


def listing(entry: Schema) -> Schema:
    return enveloped(many(entry), count=WHOLE)


ERROR: Final = record(
    {"success": exactly(False), "message": TEXT, "error": TEXT, "errors": many(TEXT)},
    {"details": many(record({"field": TEXT, "message": TEXT}))},
)
DONE: Final = record({"success": exactly(True), "message": TEXT})


@dataclass(frozen=True)
class Parameter:
    name: str
    place: Place
    schema: Schema
    required: bool = False


def in_path(name: str, schema: Schema = TEXT) -> Parameter:
    return Parameter(name, "path", schema, required=True)


def asked(name: str, schema: Schema) -> Parameter:
    """A query parameter that must be there."""
    return Parameter(name, "query", schema, required=True)


def may_ask(name: str, schema: Schema, default: object = None) -> Parameter:
    return Parameter(name, "query", schema if default is None else {**schema, "default": default})


ACTOR: Final = Parameter("x-user-id", "header", {**TEXT, "maxLength": 128})


@dataclass(frozen=True)
class Bytes:
    """An answer that is not JSON. With `any_type` it may also be of another media type."""

    media_type: str
    any_type: bool = False


Answer: TypeAlias = Schema | Bytes


@dataclass(frozen=True)
class Promise:
    """One operation. `answers` by status; `untried` names those that no test can bring about at will."""

    method: str
    path: str
    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    body: Schema | None = None
    media_type: str = JSON
    untried: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def document_of(promises: Sequence[Promise]) -> Schema:
    """The table as an OpenAPI document, so that it is read and compared like any other."""
    paths: dict[str, Schema] = {}
    for promise in promises:
        operation: Schema = {
            "parameters": [
                {"name": each.name, "in": each.place, "required": each.required, "schema": each.schema}
                for each in promise.parameters
            ],
            "responses": {str(status): _response(answer) for status, answer in promise.answers.items()},
        }
        if promise.body is not None:
            content = {promise.media_type: {"schema": promise.body}}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(promise.path, {})[promise.method] = operation
    return {"openapi": "3.1.0", "paths": paths}


def _response(answer: Answer) -> Schema:
    if isinstance(answer, Bytes):
        media_types = [answer.media_type, "*/*"] if answer.any_type else [answer.media_type]
        return {"description": "", "content": {each: {"schema": BYTES} for each in media_types}}
    return {"description": "", "content": {JSON: {"schema": answer}}}
