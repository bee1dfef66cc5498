"""Routes: the framework's, which also check how query parameters are written."""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, Final

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel, to_snake
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from core.errors import FieldError, Invalid
from core.http.errors import VALIDATION_FAILED
from core.http.input import WHOLE_NUMBER

_NOTHING: Final[Mapping[str, Any]] = {}


class Route(APIRoute):
    """A route that knows its part of the OpenAPI document, made when it first matters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.query_params, self.query_parameters)
            return await answer(request)

        return checked

    @cached_property
    def query_parameters(self) -> Mapping[str, bool]:
        """Names that are given once, in each spelling, and whether each is a whole number."""
        found: dict[str, bool] = {}
        for parameter in self._operation.get("parameters", ()):
            schema, name = parameter["schema"], parameter["name"]
            types = {each.get("type") for each in (schema, *schema.get("anyOf", ()))}
            if parameter["in"] == "query" and "array" not in types:
                found |= dict.fromkeys((name, to_snake(name), to_camel(name)), "integer" in types)
        return found

    @cached_property
    def media_types(self) -> frozenset[str]:
        """Of the body that it reads; none for a route without one."""
        return frozenset(self._operation.get("requestBody", _NOTHING).get("content", ()))

    @property
    def _operation(self) -> Mapping[str, Any]:
        """Empty for a route that is not in the document."""
        paths = get_openapi(title="Route", version="1", routes=[self])["paths"]
        operations: Mapping[str, Any] = paths.get(self.path_format, _NOTHING)
        return next(iter(operations.values()), _NOTHING)


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
