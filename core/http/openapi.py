"""OpenAPI document: FastAPI's, with the errors that we really answer instead of the framework's 422, with the
headers of answers, and with names for enumerations. It is the same whatever AUTH is: a client that is
generated from it works with and without keys.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, get_args, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import Response

from core.feature import Feature, entities_of
from core.http.answers.envelope import ErrorBody, ErrorDetail, Problem
from core.http.answers.errors import CODE_BY_STATUS
from core.http.answers.event_streams import Dropped
from core.http.request.access import is_open, needed_scope
from core.http.request.fields import drop_null
from core.http.request.idempotency import HEADER, LONGEST_KEY, REPLAYED
from core.http.routing import HeaderRead, parameters

_REF: Final = "#/components/schemas/{model}"
_ERRORS: Final = {
    "400": ("Invalid", "The input is not valid"),
    "401": ("Unauthorized", "No valid API key"),
    "403": ("Forbidden", "The API key's scope does not suffice"),
    "404": ("NotFound", "There is no such thing"),
    "409": ("Conflict", "It collides with what is stored, or with another request of this Idempotency-Key"),
    "410": ("Gone", "It was there, and is no more"),
    "412": (
        "PreconditionFailed",
        "It is in another state than If-Match, or in one that If-None-Match, names",
    ),
    "413": ("TooLarge", "The request body is too large"),
    "415": ("UnsupportedMediaType", "The request body is of another media type"),
    "416": ("RangeNotSatisfiable", "The range begins behind the end"),
    "421": ("Misdirected", "The server is not called so; see ALLOWED_HOSTS"),
    "429": ("RateLimited", "Too many requests; see Retry-After"),
    "500": ("Crash", "An unexpected fault of the server"),
    "503": ("Unavailable", "Something the service depends on is down; see Retry-After"),
}
_FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")
_KEY_SCHEME: Final = "apiKey"
_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, with AUTH=keys; with AUTH=off everything is open. The scopes: read; "
    "write, which includes read; admin, which includes both",
}
_HEADERS: Final = {
    "ETag": {
        "description": "State of what is answered, for If-Match and If-None-Match",
        "schema": {"type": "string", "examples": ['"2-9f86d081884c7d65"']},
    },
    "Location": {
        "description": "Path of what was made, or of the job that was begun",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Request-Id": {
        "description": "Id of the request, as in the log and the audit trail",
        "schema": {"type": "string"},
    },
    "X-Cache": {
        "description": "`HIT`, `MISS` or `BYPASS`: whether the answer came from the cache",
        "schema": {"type": "string"},
    },
    REPLAYED: {
        "description": "`true` where the answer to an earlier request of this Idempotency-Key is repeated",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "The name under which the file is kept",
        "schema": {"type": "string"},
    },
    "Content-Range": {
        "description": "The bytes that are sent, and how many there are",
        "schema": {"type": "string", "examples": ["bytes 0-1023/4096"]},
    },
    **{
        f"RateLimit-{name}": {"description": text, "schema": {"type": "integer", "minimum": 0}}
        for name, text in (
            ("Limit", "Requests of one client in a window; absent where there is no limit"),
            ("Remaining", "Requests that are left of them"),
            ("Reset", "Seconds after which the window is over"),
        )
    },
}
_LIMITS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_HEADER_REFS: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
_IDEMPOTENCY_KEY: Final = HeaderRead(
    HEADER,
    "Sent again within a day, by the same actor and with the same body, the request is not "
    f"carried out again: its answer is repeated, with `{REPLAYED}: true`",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
)
_IF_NONE_MATCH: Final = HeaderRead(
    "if-none-match",
    "The `ETag` of what the client has: unless that has changed, the answer is 304",
    {"type": "string"},
)
_RANGE: Final = HeaderRead(
    "range", "The bytes that are wanted: one range of them", {"type": "string", "examples": ["bytes=0-1023"]}
)
_IF_RANGE: Final = HeaderRead(
    "if-range",
    "The `ETag` of what the client has a part of: if that has changed, all of it is sent",
    {"type": "string"},
)
_JSON: Final = "application/json"
_FILES: Final = frozenset({"application/zip", "text/csv"})
_PROBES_PREFIXES: Final = ("/health", "/metrics")


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
        contact={"name": "Handover contributors"},
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": "/", "description": "The server that answers this document"}],
        tags=app.openapi_tags,
        routes=app.routes,
    )
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                _complete(operation, route, method, app.state.admin_paths)
    schemas = document.get("components", {}).get("schemas", {})
    for name in _FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    for model in (ErrorBody, ErrorDetail, Problem, Dropped):
        schema = model.model_json_schema(mode="serialization", ref_template=_REF)
        schema.pop("$defs", None)
        schemas.setdefault(model.__name__, schema)
    words = _words(app.state.features)
    names = {values: name for name, values in words.items()}
    schemas |= {name: {"type": "string", "enum": list(values)} for name, values in words.items()}
    operations = [each for path in document["paths"].values() for each in path.values()]
    return {
        **document,
        "paths": _named(document["paths"], names),
        "components": {
            "schemas": {
                name: schema if name in words else _named(schema, names) for name, schema in schemas.items()
            },
            "headers": _HEADERS,
            "responses": {
                name: _error(status, text)
                for status, (name, text) in _ERRORS.items()
                if any(status in operation["responses"] for operation in operations)
            },
            "securitySchemes": {_KEY_SCHEME: _SCHEME},
        },
        "security": [{_KEY_SCHEME: []}],
    }


def _complete(operation: dict[str, Any], route: APIRoute, method: str, admin_paths: tuple[str, ...]) -> None:
    """Complete an operation: the headers that it takes and sends, and the errors of every such operation."""
    path, responses = route.path_format, operation["responses"]
    responses.pop("422", None)
    probe = path.startswith(_PROBES_PREFIXES)
    notes = [note for each in parameters(route.endpoint) for note in each.notes]
    # Several dependencies may read the same one.
    taken = list({note.name: note for note in notes if isinstance(note, HeaderRead)}.values())
    wanted = {"400", "500"} | (responses.keys() & _ERRORS.keys())
    if not probe:
        wanted |= {"421", "429", "503"}
    if method == "POST":
        taken.append(_IDEMPOTENCY_KEY)
        wanted.add("409")
    if any(header.name == "if-match" for header in taken):
        wanted.add("412")
    if "requestBody" in operation:
        wanted |= {"413", "415"}
    # Handlers that answer finished bytes send their tag; the framework's responses have none.
    tagged = not probe and get_type_hints(route.endpoint).get("return") is Response
    if tagged and method == "GET":
        taken.append(_IF_NONE_MATCH)
        responses.setdefault("304", {"description": "The client has it already"})
    is_download = "206" in responses
    if is_download:
        taken += [_RANGE, _IF_RANGE]
    for status, response in responses.items():
        content = response.get("content", {}).values()
        whole = any("$ref" in media.get("schema", ()) for media in content)
        sent = {
            "ETag": tagged and status < "400" and (method == "GET" or (whole and status < "202")),
            "Location": method == "POST" and whole and status in ("201", "202"),
            "X-Cache": tagged and method == "GET" and _JSON in response.get("content", ()),
            REPLAYED: method == "POST" and status < "300",
            "Content-Disposition": status in ("200", "206")
            and (is_download or not _FILES.isdisjoint(response.get("content", ()))),
            "Content-Range": status == "206",
            "X-Request-Id": True,
            **dict.fromkeys(_LIMITS, not probe),
        }
        response["headers"] = {name: _HEADER_REFS[name] for name in sent if sent[name]}
        for media in content:
            # The framework describes a stream's events in the words of OpenAPI 3.2, which 3.1 does not know.
            media.pop("itemSchema", None)
    if is_open(path):
        operation["security"] = []
    else:
        wanted |= {"401", "403"}
    for status in wanted:
        if "content" not in responses.get(status, ()):
            responses[status] = {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}
    if "403" in responses:
        responses["403"]["description"] = (
            f"A key with the scope {needed_scope(method, path, admin_paths)} is needed"
        )
    operation["responses"] = {status: responses[status] for status in sorted(responses)}
    asked = [_never_null(parameter) for parameter in operation.get("parameters", ())]
    if asked or taken:
        operation["parameters"] = [*asked, *(header.parameter() for header in taken)]


def _never_null(parameter: dict[str, Any]) -> dict[str, Any]:
    """Parameter without the null of its type, which a URL cannot say: it is left out instead."""
    schema = {**parameter["schema"]}
    drop_null(schema)
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, **parameter, "schema": schema}


def _words(features: Sequence[Feature]) -> dict[str, tuple[str, ...]]:
    """Words of each enumeration, by its name."""
    activities = [kind for feature in features for kind in feature.activities]
    return {
        **{name: get_args(kind) for feature in features for name, kind in feature.enumerations.items()},
        "Entity": entities_of(features),
        "ActivityType": tuple(f"{kind.entity}_{verb}" for kind in activities for verb in kind.verbs.values()),
    }


def _named(node: Any, names: Mapping[tuple[str, ...], str]) -> Any:
    """Part of the document with references in place of lists of the words that have a name."""
    if isinstance(node, list):
        return [_named(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    name = node.get("x-values") or ("enum" in node and names.get(tuple(node["enum"])))
    if not name:
        return {key: _named(value, names) for key, value in node.items()}
    kept = {key: node[key] for key in ("description", "default") if key in node}
    return {"$ref": _REF.format(model=name), **kept}


def _error(status: str, text: str) -> dict[str, Any]:
    """Response of an error in both forms, with an example of each."""
    return {
        "description": text,
        "headers": {
            name: _HEADER_REFS[name]
            for name in ("X-Request-Id", *_LIMITS, "Retry-After")
            if name != "Retry-After" or name in text
        },
        "content": {
            "application/json": {
                "schema": {"$ref": _REF.format(model="ErrorBody")},
                "example": {"success": False, "message": text, "error": text, "errors": [text]},
            },
            "application/problem+json": {
                "schema": {"$ref": _REF.format(model="Problem")},
                "example": {
                    "type": f"urn:handover:problem:{CODE_BY_STATUS[int(status)]}",
                    "title": HTTPStatus(int(status)).phrase,
                    "status": int(status),
                    "detail": text,
                    "message": text,
                    "instance": "/api/items",
                    "errors": [text],
                },
            },
        },
    }
