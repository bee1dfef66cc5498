"""Ideas for the documentation, and their board."""

from typing import Final

from tests.contract.notation import (
    ACTOR,
    DONE,
    ERROR,
    INSTANT,
    NUMBER,
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
    record,
)

STATUS: Final = one_of("new", "triage", "in_progress", "review", "completed", "rejected")
CATEGORY: Final = one_of("api", "docs", "dashboard", "automation", "infrastructure")
PRIORITY: Final = one_of("low", "medium", "high", "critical")
ORDER: Final = one_of("created_at", "updated_at", "title", "priority", "status", "due_date")

IDEA: Final = record(
    {
        "id": TEXT,
        "title": TEXT,
        "description": TEXT,
        "category": CATEGORY,
        "priority": PRIORITY,
        "status": STATUS,
        "tags": many(TEXT),
        "createdAt": TIME,
    },
    {
        "updatedAt": TIME,
        "systemId": TEXT,
        "system": record({"id": TEXT, "name": TEXT}),
        "assignedTo": TEXT,
        "createdBy": TEXT,
        "estimatedHours": NUMBER,
        "actualHours": NUMBER,
        "dueDate": TIME,
        "completedAt": TIME,
    },
)
TITLE: Final = bounded(TEXT, minLength=1, maxLength=200)
DESCRIPTION: Final = bounded(TEXT, minLength=1, maxLength=1_048_576)
TAGS: Final = many(bounded(TEXT, maxLength=200), maxItems=1000)
OPTIONAL: Final = {
    "tags": TAGS,
    "systemId": bounded(TEXT, minLength=1, maxLength=128),
    "assignedTo": bounded(TEXT, minLength=1, maxLength=200),
    "estimatedHours": bounded(NUMBER, minimum=1, maximum=1000),
    "actualHours": bounded(NUMBER, minimum=0, maximum=10_000),
    "dueDate": INSTANT,
}
CREATE: Final = record(
    {"title": TITLE, "description": DESCRIPTION, "category": CATEGORY, "priority": PRIORITY}, OPTIONAL
)
UPDATE: Final = record(
    {},
    {
        "title": TITLE,
        "description": DESCRIPTION,
        "category": CATEGORY,
        "priority": PRIORITY,
        "status": STATUS,
        **OPTIONAL,
    },
)
FILTERS: Final = (
    may_ask("status", STATUS),
    may_ask("category", CATEGORY),
    may_ask("priority", PRIORITY),
    may_ask("system_id", bounded(TEXT, maxLength=128)),
    may_ask("assigned_to", bounded(TEXT, maxLength=200)),
    may_ask("search", bounded(TEXT, minLength=2, maxLength=100)),
    may_ask("limit", bounded(WHOLE, minimum=1, maximum=100)),
    may_ask("offset", bounded(WHOLE, minimum=0, maximum=2**31 - 1)),
    may_ask("order_by", ORDER, "created_at"),
    may_ask("order_direction", one_of("asc", "desc")),
)
ONE: Final = enveloped(IDEA)
KANBAN: Final = record({status: many(IDEA) for status in STATUS["enum"]})
ID: Final = (in_path("id"),)
REFUSED: Final = {400: ERROR, 413: ERROR, 415: ERROR}
ROOT: Final = "/api/v1/ideas"

PROMISES: Final = (
    Promise("get", ROOT, {200: listing(IDEA), 400: ERROR}, FILTERS),
    Promise("post", ROOT, {201: ONE, **REFUSED}, (ACTOR,), CREATE),
    Promise("get", f"{ROOT}/{{id}}", {200: ONE, 404: ERROR}, ID),
    Promise("put", f"{ROOT}/{{id}}", {200: ONE, **REFUSED, 404: ERROR}, (*ID, ACTOR), UPDATE),
    Promise("delete", f"{ROOT}/{{id}}", {200: DONE, 404: ERROR}, (*ID, ACTOR)),
    Promise("get", f"{ROOT}/kanban", {200: KANBAN}),
)
