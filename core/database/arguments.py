"""Codec of calls: from the typed client's arguments to those of Prisma's JavaScript client, and back for the
results.

The two clients share their vocabulary; they differ in the spelling of some keys, the names of the methods,
and the few kinds of values that JSON has no word for. Those are sent as tagged objects (see
`prisma/engine/values.mjs`).
"""

import base64
import datetime
import decimal
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, get_args, get_origin

from prisma import PrismaMethod, fields
from prisma._builder import dumps
from prisma._compat import model_fields
from prisma._constants import QUERY_BUILDER_ALIASES
from prisma.errors import InputError
from pydantic import BaseModel

from core.database.selection import selection

JsonObject = dict[str, Any]

OPERATIONS: Mapping[PrismaMethod, str] = {
    "create": "create",
    "create_many": "createMany",
    "delete": "delete",
    "delete_many": "deleteMany",
    "update": "update",
    "update_many": "updateMany",
    "upsert": "upsert",
    "find_unique": "findUnique",
    "find_unique_or_raise": "findUniqueOrThrow",
    "find_first": "findFirst",
    "find_first_or_raise": "findFirstOrThrow",
    "find_many": "findMany",
    "count": "count",
    "group_by": "groupBy",
    "query_raw": "queryRaw",
    "query_first": "queryRaw",
    "execute_raw": "executeRaw",
}

RAW_METHODS = frozenset({"query_raw", "query_first", "execute_raw"})
AGGREGATES = frozenset({"count", "group_by"})
WITHOUT_ROWS = AGGREGATES | {"create_many", "delete_many", "update_many"}
JSON_FILTER = re.compile("equals|not|path|mode|[lg]te?|(string|array)_(contains|starts_with|ends_with)")
EXACT_INTEGERS = 2**53 - 1
"""Upper bound of exact integers: JavaScript reads a larger number inexactly, so it is sent as text."""


class Encoder:
    """Encoder of one call's arguments; `tagged` tells afterwards whether there are tagged values."""

    __slots__ = ("tagged",)

    def __init__(self) -> None:
        self.tagged = False

    def encode(self, value: Any, columns: "_JsonColumns | None" = None) -> Any:
        """Encoded value. `columns` are those of the model that `value` is about, if a Json column can be
        reached from it. Raises InputError for what no column can hold, and TypeError for what is no value at
        all.
        """
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        if kind is int:
            return value if -EXACT_INTEGERS <= value <= EXACT_INTEGERS else self._tag("$bigint", str(value))
        if kind is float:
            if not math.isfinite(value):
                raise _unusable(f"{value} cannot be sent to the database; a number has to be finite")
            return value
        if isinstance(value, dict):
            if columns is None:
                return {QUERY_BUILDER_ALIASES.get(key, key): self.encode(each) for key, each in value.items()}
            return {
                QUERY_BUILDER_ALIASES.get(key, key): self._at(key, each, columns)
                for key, each in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            # `push` of no Json value is for the engine to see.
            self.tagged = self.tagged or not value
            return [self.encode(item, columns) for item in value]
        if isinstance(value, fields.Json):
            return self._tag("$json", _json_text(value))
        if isinstance(value, fields.Base64):
            return self._tag("$bytes", _base64_text(value))
        if isinstance(value, Enum):
            return self.encode(value.value)
        if isinstance(value, datetime.datetime):
            return self._tag("$date", isoformat(value))
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, (int, float)):
            return self.encode(int(value) if isinstance(value, int) else float(value))
        raise TypeError(f"Type {kind} cannot be sent to the database")

    def _at(self, key: str, value: Any, columns: "_JsonColumns") -> Any:
        """Encoded value of a key. In a nested write, a part such as `data` may have a column's name: no
        filter.
        """
        if key in columns.names:
            if value is None:
                return self._tag("$null", True)
            if isinstance(value, dict) and all(map(JSON_FILTER.fullmatch, value)):
                return {
                    name: self._tag("$null", True) if each is None else self.encode(each)
                    for name, each in value.items()
                }
        return self.encode(value, columns.of_relation.get(key, columns))

    def _tag(self, tag: str, value: object) -> JsonObject:
        self.tagged = True
        return {tag: value}


class _JsonColumns:
    """Json columns of a model, and those of the models that its relations lead to."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.of_relation: dict[str, _JsonColumns] = {}


@cache
def _json_columns_of(model: type[BaseModel]) -> _JsonColumns | None:
    """Json columns of the model, None when none can be reached from it."""
    found: dict[type[BaseModel], _JsonColumns] = {}
    start = _collect(model, found)
    return start if any(columns.names for columns in found.values()) else None


def _collect(model: type[BaseModel], found: dict[type[BaseModel], _JsonColumns]) -> _JsonColumns:
    if model in found:
        return found[model]
    columns = found[model] = _JsonColumns()
    for name, info in model_fields(model).items():
        # A list of Json values has no NULL of its own.
        if get_origin(info.annotation) is not list and fields.Json in _types_in(info.annotation):
            columns.names.add(name)
        for related in _types_in(info.annotation):
            if isinstance(related, type) and hasattr(related, "__prisma_model__"):
                columns.of_relation[name] = _collect(related, found)
    return columns


def _types_in(annotation: object) -> Iterator[object]:
    """Innermost types of an annotation: of `Optional[List[Book]]`, say, Book."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for each in inner:
        yield from _types_in(each)


def _json_text(value: fields.Json) -> str:
    try:
        return dumps(value.data, allow_nan=False)
    except ValueError as error:
        raise _unusable(f"The value cannot be stored as JSON: {error}") from None


def _base64_text(value: fields.Base64) -> str:
    text = str(value)
    try:
        base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _unusable(f"The bytes are not valid base64: {error}") from None
    return text


def _unusable(message: str) -> InputError:
    return InputError({"user_facing_error": {"message": message, "meta": {}}})


def isoformat(moment: datetime.datetime) -> str:
    """Text of a moment: ISO 8601 in UTC with milliseconds, the precision of Prisma's DateTime; a naive time
    counts as UTC.
    """
    moment = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return moment.isoformat(timespec="milliseconds")


def call_arguments(
    method: PrismaMethod,
    arguments: JsonObject,
    model: type[BaseModel] | None,
    root_selection: list[str] | None,
) -> tuple[JsonObject, bool]:
    """Arguments of a call for the JavaScript client, and True if they hold tagged values."""
    encoder = Encoder()
    if method in RAW_METHODS:
        parameters = encoder.encode(arguments["parameters"])
        return {"query": arguments["query"], "parameters": parameters}, encoder.tagged
    columns = None if model is None else _json_columns_of(_generated(model))
    if model is not None and method not in WITHOUT_ROWS:
        include = arguments.get("include")
        if include is not None or not model.__module__.endswith(".models"):
            arguments = {**arguments, "include": None, **selection(model, include)}
    encoded = {
        QUERY_BUILDER_ALIASES.get(key, key): encoder.encode(value, columns)
        for key, value in arguments.items()
        if value is not None
    }
    if method in AGGREGATES and root_selection is not None:
        encoded |= _aggregates(method, root_selection)
    return encoded, encoder.tagged


def _aggregates(method: PrismaMethod, selection: list[str]) -> JsonObject:
    """Aggregates as objects of true, from the typed client's form `["_count { _all }", "_sum { views }"]`."""
    asked: JsonObject = {}
    for item in selection:
        name, brace, names = item.partition("{")
        if brace:
            asked[name.strip()] = dict.fromkeys(names.strip(" }").split(), True)
    return {"select": asked["_count"]} if method == "count" else asked


def raw_rows(result: JsonObject, model: type[BaseModel] | None) -> JsonObject:
    """Result of a raw query as the typed client deserializes it: columns, types and rows.

    A model takes Json as text. Without one Json is parsed, and a numeric column becomes a Decimal: the
    client's own float would round it.
    """
    for column, kind in enumerate(result["types"]):
        read = _READERS.get(kind)
        if read is None or (model is not None and kind in _READ_BY_MODELS):
            continue
        for row in result["rows"]:
            if row[column] is not None:
                row[column] = read(row[column])
    return {**result, "types": ["unknown"] * len(result["types"])}


def _each(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Reader of a list, which may hold lists: PostgreSQL's arrays have dimensions."""

    def each(value: Any) -> Any:
        if isinstance(value, list):
            return [each(inner) for inner in value]
        return None if value is None else read(value)

    return each


_READERS: Final[Mapping[int, Callable[[Any], Any]]] = {
    2: float,
    3: float,
    4: decimal.Decimal,
    11: json.loads,
    66: _each(float),
    67: _each(float),
    68: _each(decimal.Decimal),
    75: _each(json.loads),
}
"""Readers by the column's type, a number of Prisma's `ColumnTypeEnum`."""
_READ_BY_MODELS: Final = frozenset({4, 11, 68, 75})


def _generated(model: type[BaseModel]) -> type[BaseModel]:
    """Generated model behind a partial one of the caller's own."""
    for each in model.__mro__:
        if each.__module__.endswith(".models") and hasattr(each, "__prisma_model__"):
            return each
    return model
