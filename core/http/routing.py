"""Routes: the framework's, which also check how query parameters are written, and call most functions without
its solver of dependencies.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import isclass, iscoroutinefunction
from typing import Any, Final, NamedTuple, Self, TypeAlias, cast, get_args, get_origin, get_type_hints

from fastapi import APIRouter, BackgroundTasks, UploadFile, params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_snake
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from core.errors import FieldError, Invalid
from core.http.answers.errors import VALIDATION_FAILED
from core.http.request.input import WHOLE_NUMBER

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON: Final = "application/json"
_ELSEWHERE: Final = (params.Path, params.Header, params.Cookie, params.Body, params.Depends)
_NO_VALUES: Final = (HTTPConnection, Response, BackgroundTasks)
_MANY: Final = frozenset({list, set, tuple, frozenset})
"""Types of parameters that may be repeated."""


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


def parameters(function: Callable[..., Any], *, deep: bool = True) -> Iterator[Parameter]:
    """Parameters of a route's function and, unless not `deep`, of all its dependencies."""
    for name, hint in get_type_hints(function, include_extras=True).items():
        if name != "return":
            notes: Sequence[object] = getattr(hint, "__metadata__", ())
            yield Parameter(name, get_args(hint)[0] if notes else hint, notes)
            for note in notes if deep else ():
                if isinstance(note, params.Depends) and note.dependency is not None:
                    yield from parameters(note.dependency)


@dataclass(slots=True)
class _Call:
    """Coroutine, and its arguments of a valid request: the request itself, strings of the path, the body, and
    the results of other such calls. The framework's solver would take an eighth of a write's time.
    """

    function: Callable[..., Coroutine[Any, Any, Any]]
    request: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    model: type[BaseModel] | None = None
    inner: tuple[tuple[str, "_Call"], ...] = ()

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Self | None:
        """Call of the function; None if it has any other parameter."""
        if not iscoroutinefunction(function):
            return None
        call = cls(function)
        for each in parameters(function, deep=False):
            note = each.notes[0] if len(each.notes) == 1 or each.has(params.Depends) else None
            if each.kind is Request:
                call.request += (each.name,)
            elif type(note) is params.Path and each.kind is str and not note.metadata and not note.alias:
                call.path += (each.name,)
            elif type(note) is params.Depends and note.dependency is not None and note.use_cache:
                inner = cls.of(note.dependency)
                if inner is None or inner.body:
                    return None
                call.inner += ((each.name, inner),)
            elif not each.notes and isclass(each.kind) and issubclass(each.kind, BaseModel) and not call.body:
                call.body, call.model = (each.name,), each.kind
            else:
                return None
        return call

    async def run(self, request: Request, body: object, results: dict[Any, Any]) -> Any:
        """Result of the function. `results` are those of the calls so far: each is made once."""
        arguments: dict[str, Any] = {name: request.path_params[name] for name in self.path}
        arguments.update(dict.fromkeys(self.request, request))
        arguments.update(dict.fromkeys(self.body, body))
        for name, call in self.inner:
            if call.function not in results:
                results[call.function] = await call.run(request, body, results)
            arguments[name] = results[call.function]
        return await self.function(**arguments)


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
        """Handler of the route: the framework's for whatever `_Call` has no place for, and for each request
        with a fault.
        """
        general = super().get_route_handler()
        call, answer = _Call.of(self.endpoint), get_type_hints(self.endpoint).get("return")
        is_response = isclass(answer) and issubclass(answer, Response)
        if call is None or not is_response or self.dependencies or self.max_body_size is not None:
            return general
        model, run = call.model, call.run

        async def direct(request: Request) -> Response:
            body = None
            if model is not None:
                await request.body()
                media_type, _, _ = request.headers.get("content-type", "").partition(";")
                if media_type.strip().lower() != _JSON:
                    return await general(request)
                try:
                    body = model.model_validate(await request.json())
                except (ValueError, RecursionError):
                    return await general(request)
            return cast(Response, await run(request, body, {}))

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
    """Router of a slice. Named here so that code below the features need not import the framework."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, generate_unique_id_function=_operation_id, **options)


def _operation_id(route: APIRoute) -> str:
    """Operation id: the function's name. Generated clients call it, so it changes only on purpose."""
    return route.name


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
        raise Invalid(VALIDATION_FAILED, details=faults)
