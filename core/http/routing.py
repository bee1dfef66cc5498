"""Routes: the framework's, which also check how query parameters are written."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import cached_property
from inspect import isclass
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from fastapi import APIRouter, BackgroundTasks, UploadFile, params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_snake
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from core.errors import FieldError, Invalid
from core.http.errors import VALIDATION_FAILED
from core.http.input import WHOLE_NUMBER

_JSON: Final = "application/json"
_ELSEWHERE: Final = (params.Path, params.Header, params.Cookie, params.Body, params.Depends)
_NO_VALUES: Final = (HTTPConnection, Response, BackgroundTasks)
_MANY: Final = frozenset({list, set, tuple, frozenset})
"""Types of parameters that may be repeated."""


class Parameter(NamedTuple):
    """A parameter of a route's function: its type, and what its `Annotated` says besides."""

    name: str
    kind: Any
    notes: Sequence[object]

    def has(self, note: type | tuple[type, ...]) -> bool:
        return any(isinstance(each, note) for each in self.notes)


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """Of a route's function and of all that it depends on."""
    for name, hint in get_type_hints(function, include_extras=True).items():
        if name != "return":
            notes: Sequence[object] = getattr(hint, "__metadata__", ())
            yield Parameter(name, get_args(hint)[0] if notes else hint, notes)
            for note in notes:
                if isinstance(note, params.Depends) and note.dependency is not None:
                    yield from parameters(note.dependency)


class Route(APIRoute):
    """A route that refuses queries in which a parameter is given twice, or a whole number not by digits."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer, known = super().get_route_handler(), dict(_query_parameters(self.endpoint))
        known = {name: whole for name, whole in known.items() if f"{{{name}" not in self.path}

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.query_params, known)
            return await answer(request)

        return checked if known else answer

    @cached_property
    def media_type(self) -> str:
        """The type of the body that it reads, if it reads one."""
        found = list(parameters(self.endpoint))
        if any(each.has(params.File) or each.kind is UploadFile for each in found):
            return "multipart/form-data"
        return "application/x-www-form-urlencoded" if any(each.has(params.Form) for each in found) else _JSON


def _query_parameters(function: Callable[..., Any]) -> Iterator[tuple[str, bool]]:
    """Those that are given once, and whether each is a whole number."""
    for each in parameters(function):
        if each.has(_ELSEWHERE):
            continue
        fields = {each.name: each.kind}
        if isclass(each.kind) and issubclass(each.kind, BaseModel):
            of_model = each.kind.model_fields.items() if each.has(params.Query) else ()
            fields = {field.alias or name: field.annotation for name, field in of_model}
        elif isclass(each.kind) and issubclass(each.kind, _NO_VALUES):
            continue
        for name, kind in fields.items():
            types = set(_types_in(kind))
            if types.isdisjoint(_MANY):
                yield from ((spelling, int in types) for spelling in (name, to_snake(name), to_camel(name)))


def _types_in(annotation: object) -> Iterator[object]:
    """Those of `list[int] | None`, say: list, int and None."""
    yield get_origin(annotation) or annotation
    for each in get_args(annotation):
        yield from _types_in(each)


class Router(APIRouter):
    """The router of a slice. Named here so that code below the features need not import the framework."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, generate_unique_id_function=_operation_id, **options)


def _operation_id(route: APIRoute) -> str:
    """The function's name: it is what generated clients call, so it changes only on purpose."""
    return route.name


def _check_query(given: QueryParams, known: Mapping[str, bool]) -> None:
    """Raises Invalid. A parameter of which one is meant is given once; a whole number has digits alone, where
    pydantic would also read `1_000`, ` 1 ` and `+1`.
    """
    counts = Counter(name for name, _ in given.multi_items())
    faults = []
    for name in sorted(known.keys() & counts.keys()):
        if counts[name] > 1:
            fault = "is given more than once; give it once"
            faults.append(FieldError(name, fault, given.getlist(name)))
        elif known[name] and not WHOLE_NUMBER.fullmatch(given[name]):
            faults.append(FieldError(name, "must be a whole number", given[name]))
    if faults:
        raise Invalid(VALIDATION_FAILED, details=faults)
