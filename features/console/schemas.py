"""Frozen values that pass between the slice's modules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from core.http.request.access import AccessScope


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Session as it is stored. `id` is the SHA-256 of its token, `sealed_key` the key that it stands for,
    readable only with the token.
    """

    id: str
    sealed_key: str
    name: str
    scope: AccessScope
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Session of a person who is signed in: `name` and `scope` of the `key`, and the token of its forms."""

    id: str
    key: str = field(repr=False)
    name: str
    scope: AccessScope
    csrf: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of the API. `data` is its JSON, None for another type; `headers` have lower case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of a list."""
        found: list[dict[str, Any]] = self.data if isinstance(self.data, list) else self.data["data"]
        return found


class Figures(BaseModel):
    """Figures of the moment for the plots. What ends in `total` only grows; `durations` are numbers of
    requests by the upper bound of their seconds, the last one without a bound.
    """

    at: float
    requests_total: float = 0
    errors_total: float = 0
    durations: list[tuple[float | None, float]] = []
    hits_total: float = 0
    reads_total: float = 0
    pool_in_use: float = 0
    pool_size: float = 0
    pool_waiting: float = 0
    engine_bytes: float = 0
    restarts_total: float = 0
    workers: int = 0
    started_at: float = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """Refusal by the API, for people: a sentence, and the faults by field. `job` has to end first."""

    status: int
    message: str
    fields: Sequence[Mapping[str, str]] = ()
    job: str | None = None

    def of(self, name: str) -> list[str]:
        """Messages about the field of the API, and about what is inside it."""
        return [each["message"] for each in self.fields if _plain(each["field"]) == _plain(name)]


def _plain(name: str) -> str:
    """Name of a field in either of its forms, without what stands behind it."""
    return name.partition(".")[0].replace("_", "").lower()
