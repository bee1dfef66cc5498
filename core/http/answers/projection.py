"""Projections: SQL that writes the JSON of a response model, derived from the model itself.

The text has the bytes that the model's own `model_dump_json` would give. A model that PostgreSQL cannot write
so is refused, and so is a value that the model would refuse.
"""

import dataclasses
import types
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.database.client import Database
from core.database.projection import Projection, project
from core.http.answers.pagination import Scope, encode_place
from core.http.request.fields import LARGEST, EmptyIfNone, Measure, Timestamp, is_none

NEWEST_FIRST: Final = ("created_at", "id")
"""Columns of the order that most lists have: cursors are positions in it."""


@dataclass(frozen=True, slots=True)
class Projected:
    """The rows of a list: `json` are their objects with commas between, in UTF-8. `next_cursor` is the
    position of the last one, if there are more; `total` is what the total's call gave, if there was one.
    """

    count: int
    json: bytes
    next_cursor: str | None
    total: int | None = None


Total = Callable[[], Awaitable[Any]]
"""One typed `count`, or one `group_by` with one sum: of that the sum of the groups."""


def total_of(counted: Any) -> int:
    """The total that such a call gave by itself."""
    if isinstance(counted, int):
        return counted
    return sum(int(number) for group in counted for number in group["_sum"].values())


async def projected(
    db: Database,
    model: type[BaseModel],
    find: Callable[[int | None], Awaitable[Sequence[object]]],
    *,
    total: Total | None = None,
    size: int | None = None,
    order: tuple[str, str] = NEWEST_FIRST,
    scope: Scope = (),
) -> Projected:
    """`find(take)` is one typed `find_many` of whose rows the first `size` are shown (None: all), each as the
    response model `model` has it: a field is the column of its name, or, of another model, the relation of
    one row, which the call includes. `total` comes along in the same statement. `order` names the timestamp
    and the id that the rows are ordered by, which the model shows; `scope` the list, for its cursor.

    With DB_PROJECTED_READS=false the rows themselves are read. Raises TypeError for a model with a field of
    another form, and as `core.database.projection.project` does.
    """
    take = None if size is None else size + 1
    place = () if size is None else _names(model, order)
    if not db.engine.options.projected_reads:
        counted = None if total is None else total_of(await total())
        return replace(_of_models(model, await find(take), size, order, scope), total=counted)
    projection = Projection(_statement(model, counted=total is not None), _select(model), take)
    text = await project(projection, lambda: find(take), total)
    head, _, lines = text.partition(b"\n")
    count, *totals = map(int, head.split())
    next_cursor = None
    if size is not None and count > size:
        count = size
        lines, _, _ = lines.rpartition(b"\n")
        last = orjson.loads(lines[lines.rfind(b"\n") + 1 :])
        next_cursor = encode_place(scope, *(last[name] for name in place))
    return Projected(count, lines.replace(b"\n", b","), next_cursor, *totals)


async def projected_rows(
    db: Database,
    model: type[BaseModel],
    columns: tuple[str, ...],
    find: Callable[[], Awaitable[Sequence[object]]],
) -> list[tuple[list[Any], bytes]]:
    """Rows one by one, otherwise as `projected`: the values of `columns` (texts, UUIDs and whole numbers,
    which need not be shown) and the row's JSON.
    """
    if not db.engine.options.projected_reads:
        return [([getattr(row, name) for name in columns], _json(model, row)) for row in await find()]
    projection = Projection(_statement(model, columns), _select(model, columns))
    _, *lines = (await project(projection, find)).split(b"\n")
    pairs = (line.split(b"\t", 1) for line in lines)
    return [(orjson.loads(values), json) for values, json in pairs]


async def projected_in_order(
    db: Database,
    model: type[BaseModel],
    ids: Sequence[str],
    find: Callable[[], Awaitable[Sequence[object]]],
) -> Projected:
    """Existing rows in the order of the ids; `find()` is one `find_many` of them, not called for no ids."""
    if not ids:
        return Projected(0, b"", None)
    rows = {row_id: json for [row_id], json in await projected_rows(db, model, ("id",), find)}
    found = [rows[row_id] for row_id in ids if row_id in rows]
    return Projected(len(found), b",".join(found), None)


def _of_models(
    model: type[BaseModel], rows: Sequence[object], size: int | None, order: tuple[str, str], scope: Scope
) -> Projected:
    shown = rows[:size]
    texts = [_json(model, row) for row in shown]
    cursor = None
    if len(rows) > len(shown):
        cursor = encode_place(scope, *(getattr(shown[-1], name) for name in order))
    return Projected(len(shown), b",".join(texts), cursor)


def _json(model: type[BaseModel], row: object) -> bytes:
    return model.model_validate(row, from_attributes=True).model_dump_json(by_alias=True).encode()


@cache
def _select(model: type[BaseModel], columns: tuple[str, ...] = ()) -> dict[str, Any]:
    related = {name: _related(_kind(info)[0]) for name, info in model.model_fields.items()}
    return dict.fromkeys(columns, True) | {
        name: True if inner is None else {"select": _select(inner)} for name, inner in related.items()
    }


@cache
def _names(model: type[BaseModel], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns in the JSON."""
    shown = model.model_fields
    if missing := [column for column in columns if column not in shown]:
        raise TypeError(f"{model.__name__} does not show {', '.join(missing)}, which a cursor needs")
    return tuple(shown[column].serialization_alias or column for column in columns)


@cache
def _statement(
    model: type[BaseModel],
    columns: tuple[str, ...] = (),
    *,
    counted: bool = False,
) -> str:
    """The number of rows and the total, then a line for each row: no JSON text has a line break or a tab."""
    line = _object(model)
    if columns:
        values = ", ".join(f'row."{name}"' for name in columns)
        line = f"concat(json_build_array({values}), E'\\t', {line})"
    total = "(SELECT coalesce(sum(number), 0) FROM ($total) AS total(number))" if counted else "''"
    return f"SELECT concat(count(*), ' ', {total}, E'\\n' || string_agg({line}, E'\\n')) FROM ($page) AS row"


def _object(model: type[BaseModel], relation: str | None = None, path: str | None = None) -> str:
    """SQL of a model's JSON object. `relation` is the column that holds the row where it was joined to
    another one, as a JSON object.
    """
    parts: list[str] = []
    for name, info in model.model_fields.items():
        where = f"{path or model.__name__}.{name}"
        kind, may_be_none = _kind(info)
        column = f'row."{name}"' if relation is None else _inner(kind, f"({relation} ->> '{name}')")
        value = None if column is None else _form(kind, column, where)
        left_out = info.exclude_if is not None
        if value is None:
            raise TypeError(f"{where}: how PostgreSQL writes {kind} is not known")
        if info.exclude or (left_out and (info.exclude_if is not is_none or not parts)):
            raise TypeError(f"{where}: PostgreSQL leaves out NULL only, and not in the first field")
        # No setting has that name: the expression is an error, but only where it is evaluated.
        value = f"coalesce({value}, current_setting('{where} has no form for what is stored'))"
        never_none = kind == list[str] or (kind == EmptyIfNone and not may_be_none)
        if (may_be_none or left_out) and not never_none:
            value = f"CASE WHEN {column} IS NOT NULL THEN {value} END"
        shown = f"coalesce({value}, 'null')" if may_be_none and not left_out else value
        key = f"""'{"," if parts else "{"}"{info.serialization_alias or name}":'"""
        parts.append(f"{key} || ({shown})" if left_out else f"{key}, {shown}")
    decorators = model.__pydantic_decorators__
    if any(getattr(decorators, each.name) for each in dataclasses.fields(decorators)):
        raise TypeError(f"{model.__name__}: PostgreSQL runs no validators, serializers or computed fields")
    if unknown := model.model_config.keys() - _OF_NO_EFFECT:
        raise TypeError(f"{model.__name__}: how PostgreSQL follows {', '.join(sorted(unknown))} is not known")
    return f"concat({', '.join(parts)}, '}}')"


_OF_NO_EFFECT: Final = frozenset(
    {"alias_generator", "from_attributes", "frozen", "json_schema_extra", "populate_by_name"}
)
"""Settings of a model that do not change its JSON, or (the aliases) are in its fields too."""


def _form(kind: Any, column: str, where: str) -> str | None:
    """SQL of the JSON of a value that is not NULL; it gives NULL for one that the model refuses."""
    if (related := _related(kind)) is not None:
        # A relation of several rows would be a list.
        return f"CASE WHEN jsonb_typeof({column}) = 'object' THEN {_object(related, column, where)} END"
    if _is_literal(kind):
        values = ", ".join(f"'{each}'" for each in get_args(kind))
        return f"""CASE WHEN {column} IN ({values}) THEN '"' || {column} || '"' END"""
    return next((form(column) for known, form in _FORMS if kind == known), None)


def _inner(kind: Any, text: str) -> str | None:
    """SQL of a joined row's value, which is text there; None for forms whose text differs there."""
    cast = "" if _is_literal(kind) else next((cast for known, cast in _CASTS if kind == known), None)
    return None if cast is None else text + cast


_CASTS: Final[tuple[tuple[Any, str], ...]] = (
    (str, ""),
    (EmptyIfNone, ""),
    (bool, "::boolean"),
    (int, "::bigint"),
)


def _related(kind: Any) -> type[BaseModel] | None:
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal and all(_needs_no_escape(each) for each in get_args(kind))


def _text(column: str) -> str:
    """SQL of a text, an array of texts, a flag or a whole number."""
    return f"to_json({column})::text"


def _moment(column: str) -> str:
    """SQL of a moment in the years that Python has, in any session's time zone."""
    condition = f"{column} >= '0001-01-01Z' AND {column} < '9999-12-31 24:00Z'"
    text = f"""to_char({column} AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\\""')"""
    return f"CASE WHEN {condition} THEN {text} END"


def _texts(column: str) -> str:
    """SQL of a list of texts. The typed client gives NULL as [], and refuses lists of lists."""
    texts = _text(f"coalesce({column}, '{{}}')")
    return f"CASE WHEN array_position({column}, NULL) IS NULL THEN {texts} END"


def measure(column: str) -> str:
    """SQL of a double precision between 0 and 1e15: `8.0`, `0.00001`, `1e-7`."""
    shortest = f"({column})::text"
    return f"""CASE
        WHEN {column} NOT BETWEEN 0 AND {LARGEST} THEN NULL
        WHEN {column} = trunc({column}) THEN ({column})::bigint || '.0'
        WHEN {column} >= 1e-4 THEN {shortest}
        WHEN {column} >= 1e-5 THEN '0.0000' || replace(split_part({shortest}, 'e', 1), '.', '')
        ELSE replace({shortest}, 'e-0', 'e-') END"""


# Not float of any size: see Measure.
_FORMS: Final[tuple[tuple[Any, Callable[[str], str]], ...]] = (
    (str, _text),
    (EmptyIfNone, lambda column: _text(f"coalesce({column}, '')")),
    (list[str], _texts),
    (bool, _text),
    (int, _text),
    (Timestamp, _moment),
    (Measure, measure),
)


def _needs_no_escape(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.replace("-", "").replace("_", "").isalnum()


def _kind(info: FieldInfo) -> tuple[Any, bool]:
    """Type of a field without its None, and whether it has one."""
    annotation = info.rebuild_annotation()
    if get_origin(annotation) in (Union, types.UnionType):
        others = [each for each in get_args(annotation) if each is not type(None)]
        return (others[0] if len(others) == 1 else annotation), len(others) < len(get_args(annotation))
    return annotation, False
