"""Where app and table differ from the published documents on purpose. Anything else is a broken promise."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.contract.comparison import Difference


@dataclass(frozen=True)
class Ruling:
    """`pattern` is a difference as it is told; `*` stands for any text."""

    pattern: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        parts = (re.escape(part) for part in self.pattern.split("*"))
        return re.fullmatch(".*".join(parts), str(difference)) is not None


_BOUNDS: Final = "the published document sets none; the table says each, and none may be tighter than that"

ADDED: Final = Ruling(
    "GET /api/v1/stats/activity 200 activities[] type: may now be *",
    "a feature that is added tells of its own rows too",
)

RULINGS: Final[Sequence[Ruling]] = (
    ADDED,
    Ruling("* body*: minLength is now 1", "texts that say something are not empty"),
    Ruling("* body*: maxLength is now *", _BOUNDS),
    Ruling("* body tags: maxItems is now 1000", _BOUNDS),
    Ruling("* query *: maxLength is now *", _BOUNDS),
    Ruling("* path *: maxLength is now 128", "no id is longer"),
    Ruling("* header x-user-id: maxLength is now 128", _BOUNDS),
    Ruling("* query offset: maximum is now *", _BOUNDS),
    Ruling("* query q: minLength is now 1", "without a word there is nothing to look for"),
    Ruling("* query limit: m*imum is now *", "a page has at least one row, and an end: the table says which"),
    Ruling("* body port: m*imum is now *", "a port is a number from 1 to 65535"),
    Ruling(
        "* 2*: is no longer said to be a uuid", "rows that are taken over keep their ids, whatever they are"
    ),
    Ruling("* /api/items* data* updatedAt: may now be null", "items have it null until their first update"),
    Ruling(
        "GET /api/v1/files/{fileId}/download 200: */* is new",
        "a download has the type that is stored with the file",
    ),
    Ruling("GET /health 429: is missing", "health is exempt from the rate limit"),
    Ruling("GET /health 200 dbStrategy: *", "the data lives in PostgreSQL and nowhere else"),
    Ruling("GET /health 200 questdb: is missing", "`database` stands for it: the older store is gone"),
    Ruling("GET /health 200 database engine: is no longer questdb, unknown", "there is one engine"),
    Ruling("GET /health 200 database status: is no longer degraded, neutral", "it answers or it does not"),
    Ruling(
        "POST /api/v1/systems/health-check-all 202: is a new answer to a request that succeeds",
        "when not all systems answer in time, the job that goes on is named",
    ),
)


def unexcused(differences: Iterable[Difference], rulings: Sequence[Ruling] = RULINGS) -> list[Difference]:
    return [each for each in differences if not any(ruling.covers(each) for ruling in rulings)]


def unused(differences: Sequence[Difference], rulings: Sequence[Ruling] = RULINGS) -> list[Ruling]:
    """Rulings that no difference needs any more."""
    return [ruling for ruling in rulings if not any(ruling.covers(each) for each in differences)]
