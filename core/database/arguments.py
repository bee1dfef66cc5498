"""From the typed client's arguments to those of Prisma's JavaScript client, and back for the results.

The two clients share their vocabulary; what differs is the spelling of some keys, the names of the methods,
and the few kinds of values that JSON has no word for. Those are sent as tagged objects (see
`prisma/engine/values.mjs`).
"""

import datetime
import decimal
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

import orjson
from prisma import PrismaMethod, fields
from prisma._builder import _field_is_prisma_model
from prisma._compat import model_fields
from prisma._constants import QUERY_BUILDER_ALIASES
from pydantic import BaseModel

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
EXACT_INTEGERS = 2**53 - 1
"""JavaScript reads a larger number inexactly, so it travels as text."""


class Encoder:
    """Encodes one call's arguments; `tagged` tells afterwards whether the engine has to look for tagged
    values.
    """

    __slots__ = ("tagged",)

    def __init__(self) -> None:
        self.tagged = False

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None or kind is float:
            return value
        if kind is int:
            return value if -EXACT_INTEGERS <= value <= EXACT_INTEGERS else self._tag("$bigint", str(value))
        if isinstance(value, dict):
            return {QUERY_BUILDER_ALIASES.get(key, key): self.encode(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.encode(item) for item in value]
        if isinstance(value, fields.Json):
            return self._tag("$json", value.data)
        if isinstance(value, fields.Base64):
            return self._tag("$bytes", str(value))
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, datetime.datetime):
            return isoformat(value)
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, (str, int, float)):
            return self.encode(kind.__mro__[-2](value))
        raise TypeError(f"Type {kind} cannot be sent to the database")

    def _tag(self, tag: str, value: object) -> JsonObject:
        self.tagged = True
        return {tag: value}


def isoformat(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC with milliseconds, the precision of Prisma's DateTime; a naive time counts as UTC."""
    moment = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return moment.isoformat(timespec="milliseconds")


def call_arguments(
    method: PrismaMethod, arguments: JsonObject, model: type[BaseModel] | None, selection: list[str] | None
) -> tuple[JsonObject, bool]:
    """The JavaScript client's arguments for a call, and whether they hold tagged values."""
    encoder = Encoder()
    if method in RAW_METHODS:
        parameters = encoder.encode(arguments["parameters"])
        return {"query": arguments["query"], "parameters": parameters}, encoder.tagged
    encoded = encoder.encode({key: value for key, value in arguments.items() if value is not None})
    if method in {"count", "group_by"} and selection is not None:
        encoded |= _aggregates(method, selection)
    elif model is not None and method not in {"create_many", "delete_many", "update_many"}:
        _select(encoded, model)
    return encoded, encoder.tagged


def _aggregates(method: PrismaMethod, selection: list[str]) -> JsonObject:
    """`["_count { _all }", "_sum { views }"]`, as the typed client writes it, as objects of true."""
    asked: JsonObject = {}
    for item in selection:
        name, brace, names = item.partition("{")
        if brace:
            asked[name.strip()] = dict.fromkeys(names.strip(" }").split(), True)
    return {"select": asked["_count"]} if method == "count" else asked


def _select(arguments: JsonObject, model: type[BaseModel]) -> None:
    """A partial model asks for its own columns; JavaScript's client takes `select` or `include`, not both."""
    columns = _columns_of_partial(model)
    if columns is not None:
        arguments["select"] = {**dict.fromkeys(columns, True), **arguments.pop("include", {})}


@lru_cache(maxsize=1024)
def _columns_of_partial(model: type[BaseModel]) -> tuple[str, ...] | None:
    """The scalar fields of a model of the caller's own, or None for a generated one, which has them all."""
    if model.__module__.endswith(".models"):
        return None
    return tuple(
        name
        for name, info in model_fields(model).items()
        if not _field_is_prisma_model(info, name=name, parent=model)
    )


def raw_rows(rows: list[JsonObject], model: type[BaseModel] | None) -> JsonObject:
    """Rows of a raw query as the typed client deserializes them: column names, their types, and rows of
    values.

    A model wants its Json columns as JSON text; without a model they stay what they are.
    """
    columns = list(rows[0]) if rows else []
    for name in _json_columns(model) if model is not None else ():
        for row in rows:
            if row.get(name) is not None:
                row[name] = orjson.dumps(row[name]).decode()
    return {
        "columns": columns,
        "types": ["unknown"] * len(columns),
        "rows": [list(row.values()) for row in rows],
    }


@lru_cache(maxsize=1024)
def _json_columns(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(
        name
        for name, info in model_fields(model).items()
        if fields.Json in (info.annotation, *getattr(info.annotation, "__args__", ()))
    )
