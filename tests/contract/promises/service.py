"""Information, health and figures of the service: both older services had them, one answer serves both."""

from typing import Final

from tests.contract.notation import (
    ERROR,
    TEXT,
    TIME,
    WHOLE,
    Bytes,
    Promise,
    exactly,
    one_of,
    record,
)

COLLECTIONS: Final = ("systems", "ideas", "files", "stats", "search", "suggest")
INFO: Final = record(
    {
        "success": exactly(True),
        "service": TEXT,
        "version": TEXT,
        "endpoints": record(
            {
                "health": TEXT,
                "documentation": TEXT,
                "openapi": TEXT,
                "api": record({}, dict.fromkeys(COLLECTIONS, TEXT)),
            },
            {"asyncapi": TEXT},
        ),
    }
)
HEALTH: Final = record(
    {
        "status": one_of("healthy", "degraded"),
        "service": TEXT,
        "timestamp": TIME,
        "dbStrategy": exactly("postgres"),
        "database": record(
            {"engine": exactly("postgres"), "status": one_of("healthy", "error"), "connections": WHOLE}
        ),
    }
)

PROMISES: Final = (
    Promise("get", "/", {200: INFO, 429: ERROR}),
    Promise("get", "/health", {200: HEALTH, 500: ERROR, 503: ERROR}),
    Promise("get", "/metrics", {200: Bytes("text/plain")}),
)
