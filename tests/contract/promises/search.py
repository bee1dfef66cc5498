"""Search, suggestions, and the specifications that search reads too."""

from typing import Final

from tests.contract.notation import (
    ERROR,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Bytes,
    Promise,
    asked,
    bounded,
    enveloped,
    exactly,
    listing,
    many,
    may_ask,
    one_of,
    record,
)

TYPE: Final = one_of("endpoint", "guide", "adr", "template", "diagram")
SOURCE: Final = one_of("openapi", "asyncapi", "markdown", "upload")
WORDS: Final = bounded(TEXT, minLength=1)
LIMIT: Final = bounded(WHOLE, minimum=1)
RESULT: Final = record(
    {"id": TEXT, "title": TEXT, "type": TEXT, "source": TEXT, "score": NUMBER, "link": TEXT},
    {"snippet": TEXT},
)
SPECIFICATION: Final = record(
    {
        "name": TEXT,
        "type": one_of("openapi", "asyncapi"),
        "status": one_of("valid", "invalid"),
        "lastValidatedAt": TIME,
        "issues": many(TEXT),
    }
)
SPECIFICATIONS: Final = record({"success": exactly(True), "specs": many(SPECIFICATION)})
YAML: Final = Bytes("application/yaml")

PROMISES: Final = (
    Promise(
        "get",
        "/api/v1/search",
        {200: listing(RESULT), 400: ERROR},
        (asked("q", WORDS), may_ask("type", TYPE), may_ask("source", SOURCE), may_ask("limit", LIMIT, 10)),
    ),
    Promise(
        "get",
        "/api/v1/suggest",
        {200: enveloped(many(TEXT)), 400: ERROR},
        (asked("q", WORDS), may_ask("limit", LIMIT, 5)),
    ),
    Promise("get", "/api/v1/docs/status", {200: SPECIFICATIONS}),
    Promise("get", "/api/v1/docs/download", {200: Bytes("application/zip")}),
    Promise("get", "/spec/openapi.yaml", {200: YAML}),
    Promise("get", "/spec/asyncapi.yaml", {200: YAML}),
)
