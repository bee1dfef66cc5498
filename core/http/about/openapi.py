"""OpenAPI document: FastAPI's, with the errors that we really answer instead of the framework's 422."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from core.feature import Feature
from core.http.answers.envelope import ErrorBody, ErrorDetail
from core.http.request.access import is_open, needed_scope
from core.http.request.idempotency import HEADER, LONGEST_KEY, REPLAYED
from core.http.routing import parameters

_REF: Final = "#/components/schemas/{model}"
_ERRORS: Final = {
    "400": ("Invalid", "The input is not valid"),
    "401": ("Unauthorized", "No valid API key"),
    "403": ("Forbidden", "The API key's scope does not suffice"),
    "409": ("Conflict", "It collides with what is stored, or with another request of this Idempotency-Key"),
    "412": ("PreconditionFailed", "It was changed since it was read; see If-Match"),
    "413": ("TooLarge", "The request body is too large"),
    "415": ("UnsupportedMediaType", "The request body is of another media type"),
    "429": ("RateLimited", "Too many requests; see Retry-After"),
    "500": ("Crash", "An unexpected fault of the server"),
    "503": ("Unavailable", "Something the service depends on is down; see Retry-After"),
}
_FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")
_KEY_SCHEME: Final = "apiKey"
_SCHEMES: Final = {
    _KEY_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, with AUTH=keys; with AUTH=off everything is open. The scopes: read; "
        "write, which includes read; admin, which includes both",
    }
}
_IDEMPOTENCY_KEY: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again within a day, by the same actor and with the same body, the request is not "
    f"carried out again: its answer is repeated, with `{REPLAYED}: true`",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}
_PROBES_PREFIXES: Final = ("/health", "/metrics")


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


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the corrected document, built once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    for model in (ErrorBody, ErrorDetail):
        schema = model.model_json_schema(mode="serialization", ref_template=_REF)
        schema.pop("$defs", None)
        schemas.setdefault(model.__name__, schema)
    components["responses"] = {name: _response(text) for name, text in _ERRORS.values()}
    components["securitySchemes"] = _SCHEMES
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            notes = [note for each in parameters(route.endpoint) for note in each.notes]
            headers = {note.name: note for note in notes if isinstance(note, HeaderRead)}
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                for each in headers.values():
                    operation.setdefault("parameters", []).append(each.parameter())
    guarded = app.state.settings.auth == "keys"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "post":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            if guarded and not is_open(path):
                scope = needed_scope(method.upper(), path, app.state.admin_paths)
                operation["security"] = [{_KEY_SCHEME: [scope]}]
            _correct(operation, probe=path.startswith(_PROBES_PREFIXES))
    _tell_activities(schemas, app.state.features)
    return document


def _tell_activities(schemas: dict[str, Any], features: Sequence[Feature]) -> None:
    """A field marked `x-values: activities` has one of those that the features declare."""
    kinds = [kind for feature in features for kind in feature.activities]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.pop("x-values", None) == "activities":
                field["enum"] = [f"{kind.entity}_{verb}" for kind in kinds for verb in kind.verbs.values()]


def _correct(operation: dict[str, Any], *, probe: bool) -> None:
    responses = operation["responses"]
    for response in responses.values():
        for media in response.get("content", {}).values():
            # The framework describes a stream's events in the words of OpenAPI 3.2, which 3.1 does not know.
            if media.pop("itemSchema", None) is not None:
                media["schema"] = {"type": "string"}
    checked = responses.pop("422", None) is not None
    wanted = ["500", *(("401", "403") if "security" in operation else ())]
    if _IDEMPOTENCY_KEY in operation.get("parameters", ()):
        wanted += ["400", "409"]
    if checked:
        wanted.append("400")
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "x-user-id" in names:
        wanted.append("400")
    if "if-match" in names:
        wanted.append("412")
    if "requestBody" in operation:
        wanted += ["413", "415"]
    if not probe:
        wanted += ["429", "503"]
    for status in wanted:
        responses.setdefault(status, {"$ref": f"#/components/responses/{_ERRORS[status][0]}"})
    operation["responses"] = {status: responses[status] for status in sorted(responses)}


def _response(text: str) -> dict[str, Any]:
    body = {"schema": {"$ref": _REF.format(model="ErrorBody")}}
    problem = {"schema": {"type": "object", "description": "The same facts as RFC 9457"}}
    return {
        "description": text,
        "content": {"application/json": body, "application/problem+json": problem},
    }
