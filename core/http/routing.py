"""Routes: the type of slices' routers, and how the app calls the functions behind them.

What a route's function wants is known when the route is made. The framework finds it out anew for each
request: at each level of the dependencies it looks for parameters in four places, for a dozen special ones,
and into caches, which took a third of a write's time. `Route` looks only where there is something.

It answers none but valid requests. Whatever it has no plan for (`_plan`), and each request in whose input it
finds a fault, goes the framework's own way, which therefore says all that is ever said about faults.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast, get_args, get_origin

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_typed_return_annotation, request_params_to_args
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from core.errors import FieldError, Invalid
from core.http.context import header_of
from core.http.errors import VALIDATION_FAILED
from core.http.input import WHOLE_NUMBER, query_parameters

Router: TypeAlias = APIRouter
"""Named here so that code below the features need not import the framework."""

_PLACES: Final = {
    "path_params": attrgetter("path_params"),
    "query_params": attrgetter("query_params"),
    "header_params": attrgetter("headers"),
    "cookie_params": attrgetter("cookies"),
}
_MANY: Final = frozenset({list, set, tuple, frozenset})
"""Types of parameters that may be repeated."""
_UNFORESEEN: Final = (
    "websocket_param_name",
    "http_connection_param_name",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
    "own_oauth_scopes",
    "parent_oauth_scopes",
    "concurrency",
)

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class _Step:
    """Call a dependency, or in the last step the route's function. `groups` are the parameters that it takes
    from one place of the request each, `inner` the steps whose results it takes, with its names for them.
    """

    call: Callable[..., Coroutine[Any, Any, Any]]
    request: str | None
    groups: Sequence[tuple[Sequence[Any], Callable[[Request], Mapping[str, Any]]]]
    inner: Sequence[tuple[str, int]]


class Route(APIRoute):
    """A route that checks how its query parameters are written, and answers by its plan."""

    def get_route_handler(self) -> Handler:
        answer, parameters = self._answer(), dict(_query_parameters(self.dependant))
        single = {name for name, types in parameters.items() if types.isdisjoint(_MANY)}
        whole = {name for name in single if int in parameters[name]}

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.query_params, single, whole)
            return await answer(request)

        return checked if parameters else answer

    def _answer(self) -> Handler:
        general = super().get_route_handler()
        steps = _plan(self)
        if steps is None:
            return general
        app, body_field = self.dependency_overrides_provider, self.body_field

        async def direct(request: Request) -> Response:
            if app is not None and app.dependency_overrides:
                return await general(request)
            body: dict[str, Any] = {}
            if body_field is not None:
                await request.body()
                value, fault = await _validated_body(request, body_field.validate)
                if fault:
                    return await general(request)
                body[body_field.name] = value
            given: list[dict[str, Any]] = []
            for step in steps:
                arguments: dict[str, Any] = {} if step.request is None else {step.request: request}
                for fields, place in step.groups:
                    values, faults = request_params_to_args(fields, place(request))
                    if faults:
                        return await general(request)
                    arguments.update(values)
                given.append(arguments)
            given[-1].update(body)
            # From here on nothing is tried twice.
            results: list[Any] = []
            for step, arguments in zip(steps, given, strict=True):
                for name, number in step.inner:
                    arguments[name] = results[number]
                results.append(await step.call(**arguments))
            return cast(Response, results[-1])

        return direct


def _query_parameters(dependant: Dependant) -> Iterator[tuple[str, set[object]]]:
    """Their names and the types in their annotations, those of the dependencies too."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            yield from ((name, set(_types_in(each))) for name, each in query_parameters(annotation))
        else:
            yield field.alias, set(_types_in(annotation))
    for each in dependant.dependencies:
        yield from _query_parameters(each)


def _types_in(annotation: object) -> Iterator[object]:
    """Those of `list[int] | None`, say: list, int and None."""
    yield get_origin(annotation) or annotation
    for each in get_args(annotation):
        yield from _types_in(each)


def _check_query(given: QueryParams, single: set[str], whole: set[str]) -> None:
    """Raises Invalid. A parameter of which one is meant is given once; a whole number has digits alone, where
    pydantic would also read `1_000`, ` 1 ` and `+1`.
    """
    counts = Counter(name for name, _ in given.multi_items())
    faults = []
    for name in single & counts.keys():
        if counts[name] > 1:
            fault = "is given more than once; give it once"
            faults.append(FieldError(name, fault, given.getlist(name)))
        elif name in whole and not WHOLE_NUMBER.fullmatch(given[name]):
            faults.append(FieldError(name, "must be a whole number", given[name]))
    if faults:
        raise Invalid(VALIDATION_FAILED, details=sorted(faults, key=lambda each: each.field))


async def _validated_body(
    request: Request, validate: Callable[[Any], tuple[Any, Sequence[Any]]]
) -> tuple[Any, bool]:
    """Its value, and whether it has a fault."""
    media_type, _, _ = (header_of(request.scope, b"content-type") or b"").partition(b";")
    if media_type.strip().lower() != b"application/json":
        return None, True
    try:
        value, faults = validate(await request.json())
    except (ValueError, RecursionError):
        return None, True
    return value, bool(faults)


def _plan(route: APIRoute) -> Sequence[_Step] | None:
    """None for a route that takes more than is foreseen here, or whose answer the framework has to make."""
    answer = get_typed_return_annotation(route.endpoint)
    if not (inspect.isclass(answer) and issubclass(answer, Response)):
        return None
    if route.max_body_size is not None:
        return None
    body = route.body_field
    if body is not None and (isinstance(body.field_info, Form) or body not in route.dependant.body_params):
        return None
    steps: list[_Step] = []
    return steps if _add(route.dependant, steps, {}) is not None else None


def _add(dependant: Dependant, steps: list[_Step], known: dict[Any, int]) -> int | None:
    """Its step, behind those of its own dependencies, which are called once however often they are named."""
    call = dependant.call
    if not inspect.iscoroutinefunction(call) or any(getattr(dependant, name) for name in _UNFORESEEN):
        return None
    inner = []
    for each in dependant.dependencies:
        number = known.get(each.call) if each.use_cache else None
        if number is None:
            number = None if each.body_params else _add(each, steps, known)
        if number is None:
            return None
        known.setdefault(each.call, number)
        if each.name is not None:
            inner.append((each.name, number))
    groups = [(fields, place) for name, place in _PLACES.items() if (fields := getattr(dependant, name))]
    steps.append(_Step(call, dependant.request_param_name, groups, inner))
    return len(steps) - 1
