"""The registered systems."""

from typing import Final

from tests.contract.notation import (
    ACTOR,
    DONE,
    ERROR,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Promise,
    asked,
    bounded,
    counts,
    enveloped,
    in_path,
    listing,
    many,
    one_of,
    record,
)

STATUS: Final = one_of("online", "degraded", "offline", "planned")
KIND: Final = one_of("api", "webapp", "docs", "tool")
CHECKED: Final = one_of("online", "offline", "error", "unknown")
EITHER_STATUS: Final = one_of("online", "degraded", "offline", "planned", "error", "unknown")

SYSTEM: Final = record(
    {"id": TEXT, "name": TEXT, "description": TEXT, "status": STATUS, "createdAt": TIME},
    {
        "port": WHOLE,
        "category": TEXT,
        "tags": many(TEXT),
        "updatedAt": TIME,
        "type": KIND,
        "url": TEXT,
        "owner": TEXT,
        "version": TEXT,
        "metadata": {"type": "object"},
        "icon": TEXT,
        "color": TEXT,
        "host": TEXT,
        "lastChecked": TIME,
        "responseTimeMs": NUMBER,
    },
)
NAME: Final = bounded(TEXT, minLength=1, maxLength=200)
DESCRIPTION: Final = bounded(TEXT, minLength=1, maxLength=1_048_576)
PORT: Final = bounded(WHOLE, minimum=1, maximum=65535)
CATEGORY: Final = bounded(TEXT, maxLength=200)
TAGS: Final = many(bounded(TEXT, maxLength=200), maxItems=1000)
OPTIONAL: Final = {"port": PORT, "category": CATEGORY, "tags": TAGS, "type": KIND}
CREATE: Final = record({"name": NAME, "description": DESCRIPTION, "status": STATUS}, OPTIONAL)
UPDATE: Final = record({}, {"name": NAME, "description": DESCRIPTION, "status": STATUS, **OPTIONAL})
RESULT: Final = record(
    {"systemId": TEXT, "status": CHECKED, "lastChecked": TIME}, {"responseTime": NUMBER, "error": TEXT}
)
STATISTICS: Final = record(
    {
        "total": WHOLE,
        "byStatus": counts("online", "offline", "error"),
        "byType": counts("api", "webapp", "docs", "tool"),
    }
)
ONE: Final = enveloped(SYSTEM)
BARE: Final = many(SYSTEM)
ID: Final = (in_path("id"),)
SEARCH: Final = (asked("q", bounded(TEXT, minLength=2, maxLength=200)),)
REFUSED: Final = {400: ERROR, 409: ERROR, 413: ERROR, 415: ERROR}
ROOT: Final = "/api/v1/systems"

PROMISES: Final = (
    Promise("get", ROOT, {200: listing(SYSTEM)}),
    Promise("post", ROOT, {201: ONE, **REFUSED}, (ACTOR,), CREATE),
    Promise("get", f"{ROOT}/{{id}}", {200: ONE, 404: ERROR}, ID),
    Promise("put", f"{ROOT}/{{id}}", {200: ONE, **REFUSED, 404: ERROR}, (*ID, ACTOR), UPDATE),
    Promise("delete", f"{ROOT}/{{id}}", {200: DONE, 404: ERROR}, (*ID, ACTOR)),
    Promise("post", f"{ROOT}/{{id}}/health", {200: RESULT, 404: ERROR}, ID),
    Promise(
        "post",
        f"{ROOT}/health-check-all",
        {200: many(RESULT), 202: enveloped(record({"id": TEXT, "state": TEXT}), message=TEXT)},
        untried={202: "needs systems that take longer than a request may"},
    ),
    Promise(
        "get",
        f"{ROOT}/status/{{status}}",
        {200: BARE, 400: ERROR},
        (in_path("status", EITHER_STATUS),),
    ),
    Promise("get", f"{ROOT}/type/{{type}}", {200: BARE, 400: ERROR}, (in_path("type", KIND),)),
    Promise("get", f"{ROOT}/search", {200: BARE, 400: ERROR}, SEARCH),
    Promise("get", f"{ROOT}/statistics", {200: STATISTICS}),
)
