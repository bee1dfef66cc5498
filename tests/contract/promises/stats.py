"""Figures."""

from typing import Final

from tests.contract.notation import (
    DAY,
    ERROR,
    FLAG,
    TEXT,
    TIME,
    WHOLE,
    Promise,
    asked,
    bounded,
    counts,
    many,
    may_ask,
    one_of,
    record,
)
from tests.contract.promises import files, systems
from tests.contract.promises.files import FILE
from tests.contract.promises.ideas import IDEA
from tests.contract.promises.systems import SYSTEM

TIMEFRAME: Final = one_of("7d", "30d", "90d", "1y")
DASHBOARD: Final = record(
    {
        "systems": record({"total": WHOLE, "online": WHOLE, "offline": WHOLE}),
        "ideas": record({"total": WHOLE, "active": WHOLE, "completed": WHOLE}),
        "files": record({"total": WHOLE, "totalSize": WHOLE}),
        "lastUpdated": TIME,
    }
)
IDEAS: Final = record(
    {
        "total": WHOLE,
        "byStatus": counts("new", "triage", "in_progress", "review", "completed", "rejected"),
        "byPriority": counts("low", "medium", "high", "critical"),
        "byCategory": counts("api", "docs", "dashboard", "automation", "infrastructure"),
    }
)
HEALTH: Final = record(
    {
        "overall": one_of("healthy", "degraded", "critical"),
        "systems": record({"total": WHOLE, "healthy": WHOLE, "degraded": WHOLE, "critical": WHOLE}),
        "lastChecked": TIME,
    }
)
SERIES: Final = many(record({"date": DAY, "count": WHOLE}))
ANALYTICS: Final = record(
    {"timeframe": TEXT, "systems": SERIES, "ideas": SERIES, "files": SERIES},
)
FOUND: Final = record({"systems": many(SYSTEM), "ideas": many(IDEA), "files": many(FILE)})
ACTIVITY: Final = record(
    {
        "timeframe": TEXT,
        "activities": many(
            record(
                {
                    "id": TEXT,
                    "type": one_of(
                        "system_created", "idea_created", "file_uploaded", "system_updated", "idea_updated"
                    ),
                    "entity": TEXT,
                    "description": TEXT,
                    "timestamp": TIME,
                    "user": TEXT,
                }
            )
        ),
    }
)
WITHIN: Final = (may_ask("timeframe", TIMEFRAME, "30d"),)
YES: Final = True
ROOT: Final = "/api/v1/stats"

PROMISES: Final = (
    Promise("get", f"{ROOT}/dashboard", {200: DASHBOARD, 400: ERROR}, WITHIN),
    Promise("get", f"{ROOT}/systems", {200: systems.STATISTICS}),
    Promise("get", f"{ROOT}/ideas", {200: IDEAS}),
    Promise("get", f"{ROOT}/files", {200: files.STATISTICS}),
    Promise("get", f"{ROOT}/health", {200: HEALTH}),
    Promise("get", f"{ROOT}/analytics", {200: ANALYTICS, 400: ERROR}, WITHIN),
    Promise(
        "get",
        f"{ROOT}/search",
        {200: FOUND, 400: ERROR},
        (
            asked("q", bounded(TEXT, minLength=1, maxLength=200)),
            may_ask("systems", FLAG, YES),
            may_ask("ideas", FLAG, YES),
            may_ask("files", FLAG, YES),
            may_ask("limit", bounded(WHOLE, minimum=1), 20),
        ),
    ),
    Promise(
        "get",
        f"{ROOT}/activity",
        {200: ACTIVITY, 400: ERROR},
        (may_ask("days", bounded(WHOLE, minimum=1, maximum=90), 7),),
    ),
)
