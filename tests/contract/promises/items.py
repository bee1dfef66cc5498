"""The idea bank."""

from typing import Final

from tests.contract.notation import (
    DONE,
    ERROR,
    TEXT,
    TIME,
    WHOLE,
    Promise,
    bounded,
    enveloped,
    in_path,
    listing,
    many,
    may_ask,
    one_of,
    or_null,
    record,
)

CATEGORY: Final = one_of(
    "documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"
)
PRIORITY: Final = one_of("low", "medium", "high", "critical")
STATUS: Final = one_of("new", "review", "in-progress", "completed", "rejected")
TITLE: Final = bounded(TEXT, minLength=1, maxLength=200)
DESCRIPTION: Final = bounded(TEXT, minLength=1, maxLength=1_048_576)
TAGS: Final = many(bounded(TEXT, maxLength=200), maxItems=1000)

ITEM: Final = record(
    {
        "id": TEXT,
        "title": TEXT,
        "description": TEXT,
        "category": CATEGORY,
        "priority": PRIORITY,
        "status": STATUS,
        "tags": many(TEXT),
        "createdAt": TIME,
        "updatedAt": or_null(TIME),
    }
)
CREATE: Final = record(
    {"title": TITLE, "description": DESCRIPTION, "category": CATEGORY, "priority": PRIORITY}, {"tags": TAGS}
)
UPDATE: Final = record(
    {},
    {
        "title": TITLE,
        "description": DESCRIPTION,
        "category": CATEGORY,
        "priority": PRIORITY,
        "status": STATUS,
        "tags": TAGS,
    },
)
MUTATED: Final = enveloped(ITEM, message=TEXT)
FILTERS: Final = (
    may_ask("status", STATUS),
    may_ask("category", CATEGORY),
    may_ask("priority", PRIORITY),
    may_ask("tag", bounded(TEXT, maxLength=200)),
    may_ask("q", bounded(TEXT, maxLength=200)),
    may_ask("limit", bounded(WHOLE, minimum=1, maximum=1000)),
    may_ask("offset", bounded(WHOLE, minimum=0, maximum=2**31 - 1), 0),
    may_ask("cursor", bounded(TEXT, maxLength=2048)),
)
REFUSED: Final = {400: ERROR, 413: ERROR, 415: ERROR}
ID: Final = (in_path("id"),)

PROMISES: Final = (
    Promise("get", "/api/items", {200: listing(ITEM), 400: ERROR}, FILTERS),
    Promise("post", "/api/items", {201: MUTATED, **REFUSED}, body=CREATE),
    Promise("get", "/api/items/{id}", {200: enveloped(ITEM), 404: ERROR}, ID),
    Promise("put", "/api/items/{id}", {200: MUTATED, **REFUSED, 404: ERROR}, ID, UPDATE),
    Promise("delete", "/api/items/{id}", {200: DONE, 404: ERROR}, ID),
)
