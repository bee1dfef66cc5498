"""Routes: the framework's, which also check how query parameters are written, and call most functions without
its solver of dependencies.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from inspect import isclass, iscoroutinefunction
from typing import Any, Final, NamedTuple, TypeAlias, cast, get_args, get_origin, get_type_hints

from fastapi import APIRouter, BackgroundTasks, Depends, UploadFile, params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_snake
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from core.errors import FieldError, InvalidFields
from core.http.request.input import WHOLE_NUMBER

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON: Final = "application/json"
_ELSEWHERE: Final = (params.Path, params.Header, params.Cookie, params.Body, params.Depends)
_NO_VALUES: Final = (HTTPConnection, Response, BackgroundTasks)
_MANY: Final = frozenset({list, set, tuple, frozenset})
"""Types of parameters that may be repeated."""
_NO_OPTIONS: Final = frozenset({b"", b"{}", b"null"})
"""Bodies without a value, which some clients send with every POST."""


class AnyText(PathConvertor):
    """`{id:text}`: the rest of the path whatever it holds; `path` stops at a line break."""

    regex = r"[\s\S]*"


register_url_convertor("text", AnyText())


class Parameter(NamedTuple):
    """Parameter of a route's function: its type, and the other arguments of its `Annotated`."""

    name: str
    kind: Any
    notes: Sequence[object]

    def has(self, note: type | tuple[type, ...]) -> bool:
        return any(isinstance(each, note) for each in self.notes)


@dataclass(frozen=True, slots=True)
class HeaderRead:
    """Request header that a dependency reads by itself, noted in its `Annotated` type. A parameter of the
    framework's `Header` would cost each write a fiftieth of its time.
    """

    name: str
    description: str
    schema: dict[str, Any]

    def parameter(self) -> dict[str, Any]:
        return {**asdict(self), "in": "header", "required": False}


def parameters(function: Callable[..., Any], *, deep: bool = True) -> Iterator[Parameter]:
    """Parameters of a route's function and, unless not `deep`, of all its dependencies."""
    for name, hint in get_type_hints(function, include_extras=True).items():
        if name != "return":
            notes: Sequence[object] = getattr(hint, "__metadata__", ())
            yield Parameter(name, get_args(hint)[0] if notes else hint, notes)
            for note in notes if deep else ():
                if isinstance(note, params.Depends) and note.dependency is not None:
                    yield from parameters(note.dependency)


Steps: TypeAlias = dict[Callable[..., Any], dict[str, Any]]
"""Coroutines in the order of their calls, each with the sources of its arguments: `Request`, the name of a
parameter of the path, the model of the body, or a coroutine before it.
"""


def _plan(function: Callable[..., Any], steps: Steps, models: list[type[BaseModel]] | None = None) -> bool:
    """Add a function behind its dependencies; False if it has any other parameter. `models` gets that of its
    body; None for a dependency, which may have none.
    """
    arguments: dict[str, Any] = {}
    for each in parameters(function, deep=False):
        note = each.notes[0] if len(each.notes) == 1 or each.has(params.Depends) else None
        if each.kind is Request:
            arguments[each.name] = Request
        elif type(note) is params.Path and each.kind is str and not note.metadata and not note.alias:
            arguments[each.name] = each.name
        elif type(note) is params.Depends and note.dependency is not None and note.use_cache:
            if not _plan(note.dependency, steps):
                return False
            arguments[each.name] = note.dependency
        elif models == [] and not each.notes and isclass(each.kind) and issubclass(each.kind, BaseModel):
            arguments[each.name] = each.kind
            models.append(each.kind)
        else:
            return False
    steps.setdefault(function, arguments)
    return iscoroutinefunction(function)


class Route(APIRoute):
    """Route that refuses queries in which a parameter is given twice, or a whole number not by digits."""

    def get_route_handler(self) -> Handler:
        answer, known = self._answer(), dict(_query_parameters(self.endpoint))
        known = {name: whole for name, whole in known.items() if f"{{{name}" not in self.path}

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.query_params, known)
            return await answer(request)

        return checked if known else answer

    def _answer(self) -> Handler:
        """Handler of the route: the framework's for whatever `_plan` has no place for, and for each request
        with a fault. The framework's solver would take an eighth of a write's time.
        """
        general = super().get_route_handler()
        steps: Steps = {}
        models: list[type[BaseModel]] = []
        answer = get_type_hints(self.endpoint).get("return")
        is_response = isclass(answer) and issubclass(answer, Response)
        if self.dependencies or self.max_body_size is not None or not is_response:
            return general
        if not _plan(self.endpoint, steps, models):
            return general

        async def direct(request: Request) -> Response:
            found: dict[Any, Any] = {Request: request, **request.path_params}
            for model in models:
                await request.body()
                media_type, _, _ = request.headers.get("content-type", "").partition(";")
                if media_type.strip().lower() != _JSON:
                    return await general(request)
                try:
                    found[model] = model.model_validate(await request.json())
                except (ValueError, RecursionError):
                    return await general(request)
            for function, arguments in steps.items():
                given = map(found.__getitem__, arguments.values())
                found[function] = await function(**dict(zip(arguments, given, strict=True)))
            return cast(Response, found[self.endpoint])

        return direct

    @cached_property
    def media_type(self) -> str:
        """Media type of the body that the route reads, JSON by default."""
        found = list(parameters(self.endpoint))
        if any(each.has(params.File) or each.kind is UploadFile for each in found):
            return "multipart/form-data"
        return "application/x-www-form-urlencoded" if any(each.has(params.Form) for each in found) else _JSON


def _query_parameters(function: Callable[..., Any]) -> Iterator[tuple[str, bool]]:
    """Names of query parameters that are given once, each with True for a whole number."""
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
    """Types in an annotation: of `list[int] | None`, say, list, int and None."""
    yield get_origin(annotation) or annotation
    for each in get_args(annotation):
        yield from _types_in(each)


class Router(APIRouter):
    """Router of a slice. The id of an operation is its function's name: generated clients call it, so it
    changes only on purpose.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, generate_unique_id_function=lambda route: route.name, **options)


def _check_query(given: QueryParams, known: Mapping[str, bool]) -> None:
    """Raises Invalid for a repeated parameter of which one is meant, and for a whole number with more than
    digits, where pydantic would also read `1_000`, ` 1 ` and `+1`.
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
        raise InvalidFields(faults)


async def _refuse_unknown(request: Request) -> None:
    """Raises Invalid for a parameter that the route does not know, and for options in a body that it does not
    read.
    """
    route = cast(Route, request.scope["route"])
    body: dict[str, Any] = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
    in_body = {to_snake(name) for media in body.values() for name in media["schema"]["properties"]}
    known = {name for name, _ in _query_parameters(route.endpoint)}
    faults = []
    for name in sorted(request.query_params.keys() - known):
        fault = "is a field of the form, not a parameter of the query: send it there"
        if to_snake(name) not in in_body:
            fault = "is not a known parameter; correct or remove it"
        faults.append(FieldError(name, fault, request.query_params[name]))
    if not body and (await request.body()).strip() not in _NO_OPTIONS:
        faults.append(FieldError("body", "is not read here: send options as parameters of the query"))
    if faults:
        raise InvalidFields(faults)


STRICT: Final = [Depends(_refuse_unknown)]
"""`dependencies` of routes that begin work and have no model of a body: a misspelt `dryRun` must not begin it
for real. Those of the published contracts ignore what they do not know, as their clients rely on.
"""
