"""Responses of statistics: the published shapes, bare; additions are described with each field."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import CappedLimit
from core.http.request.fields import NotBlank, Timestamp
from core.http.request.input import Input
from features.files.api import FileMetadata
from features.ideas.api import Idea
from features.systems.api import System

Timeframe = Literal["7d", "30d", "90d", "1y"]
DAYS: Final[dict[Timeframe, int]] = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}
"""Number of days of a timeframe, today (UTC) included."""

Overall = Literal["healthy", "degraded", "critical"]

MAX_ACTIVITIES: Final = 500

Created = Annotated[int, Field(description="How many of them came in the timeframe")]


class _Figures(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class SystemTotals(_Figures):
    """`planned` ones are not in operation; the four add up to the total."""

    total: int
    online: int
    offline: int
    degraded: int
    planned: int
    created: Created


class IdeaTotals(_Figures):
    """`active` ones are neither completed nor rejected; the three add up to the total."""

    total: int
    active: int
    completed: int
    rejected: int
    created: Created


class FileTotals(_Figures):
    """`totalSize` is in bytes."""

    total: int
    total_size: int
    created: Created


class DashboardStats(_Figures):
    """Totals of everything there is; `created` alone belongs to the timeframe."""

    timeframe: Timeframe
    systems: SystemTotals
    ideas: IdeaTotals
    files: FileTotals
    last_updated: Timestamp = Field(description="When it was counted")


class HealthCounts(_Figures):
    """Online, degraded and offline systems; with the planned ones they add up to the total."""

    total: int
    healthy: int
    degraded: int
    critical: int
    planned: int


class HealthSummary(_Figures):
    """Health of the systems in operation, which planned ones are not: `healthy` when all are online (or there
    are none), `critical` when at least a quarter is offline, `degraded` otherwise.
    """

    overall: Overall
    systems: HealthCounts
    last_checked: Timestamp = Field(
        description="When any system was last checked; as long as none was, when this was counted"
    )


class DayCount(_Figures):
    date: str = Field(examples=["2025-10-23"], json_schema_extra={"format": "date"})
    count: int


class AnalyticsData(_Figures):
    """Numbers created on each day (UTC) of the timeframe, oldest first, today last, none left out."""

    timeframe: Timeframe
    systems: list[DayCount]
    ideas: list[DayCount]
    files: list[DayCount]


class Activity(_Figures):
    """`entity` says what it was, such as a system; `entityId` which one. `type` is the entity and what
    happened to it: features that are added bring their own.
    """

    id: str
    type: str = Field(json_schema_extra={"x-values": "ActivityType"})
    entity: str = Field(examples=["system"])
    entity_id: str
    description: str = Field(examples=['System "Orders API" was updated: status, url'])
    timestamp: Timestamp
    user: str


class ActivityData(_Figures):
    """Newest first."""

    timeframe: str = Field(examples=["7d"])
    activities: list[Activity]


class StatsSearchResponse(BaseModel):
    """The best matches first, in each list."""

    model_config = ConfigDict(frozen=True)

    systems: list[System]
    ideas: list[Idea]
    files: list[FileMetadata]


class StatsSearchQuery(Input):
    model_config = ConfigDict(frozen=True)

    q: Annotated[NotBlank, Field(max_length=200)] = Field(
        description="Words that name and description contain, in any form; the last one may be unfinished"
    )
    systems: bool = Field(default=True, description="Whether to look among the systems")
    ideas: bool = Field(default=True, description="Whether to look among the ideas")
    files: bool = Field(default=True, description="Whether to look among the files")
    limit: CappedLimit = 20


class ActivityQuery(Input):
    model_config = ConfigDict(frozen=True)

    days: int = Field(default=7, ge=1, le=90, description="How many days to look back")
    limit: int = Field(default=100, ge=1, le=MAX_ACTIVITIES, description="How many activities at most")


class Span(BaseModel):
    """Days of a timeframe, as they were at one moment."""

    model_config = ConfigDict(frozen=True)

    timeframe: Timeframe
    days: tuple[str, ...]
    since: datetime
