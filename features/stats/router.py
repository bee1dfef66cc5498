"""Routes under `/api/v1/stats`: the published statistics, as bare objects."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Query, Request, Response
from pydantic import BaseModel

from core.cache import Entry, Policy, cache_key
from core.deps import Cache, Db, Features, Holder
from core.errors import Invalid, Unavailable
from core.http.answers.conditional import cached_response, json_entry
from core.http.answers.envelope import error_responses
from core.http.routing import Router
from features.files import api as files
from features.files.api import FilesStats
from features.ideas import api as ideas
from features.ideas.api import IdeasStats
from features.stats import service
from features.stats.cache import ANALYTICS, DASHBOARD, FILES, HEALTH, IDEAS, SEARCH, SYSTEMS, activity_policy
from features.stats.schemas import (
    ActivityData,
    ActivityQuery,
    AnalyticsData,
    DashboardStats,
    HealthSummary,
    Span,
    StatsSearchQuery,
    StatsSearchResponse,
    Timeframe,
)
from features.systems import api as systems
from features.systems.api import SystemsStats

ALL: Final = "all"
CHECKED: Final = error_responses(Invalid, Unavailable)
UNCHECKED: Final = error_responses(Unavailable)
AskedTimeframe = Annotated[Timeframe, Query(description="Days up to today (UTC); a year has 365")]

router = Router(prefix="/api/v1/stats", tags=["Stats"])


async def _cached(
    request: Request, cache: Cache, policy: Policy, key: str, count: Callable[[], Awaitable[BaseModel]]
) -> Response:
    async def load() -> Entry:
        return json_entry(await count())

    return await cached_response(request, cache, policy, key, load)


def _key(span: Span, audience: files.Audience) -> str:
    """Cache key with the day: series by day change at midnight, whatever is written."""
    return cache_key(timeframe=span.timeframe, today=span.days[-1], audience=audience.name)


@router.get(
    "",
    name="get_stats",
    summary="Get dashboard statistics (short path)",
    response_model=DashboardStats,
    responses=CHECKED,
)
@router.get(
    "/dashboard", summary="Get dashboard statistics", response_model=DashboardStats, responses=CHECKED
)
async def get_dashboard(
    request: Request, db: Db, cache: Cache, holder: Holder, timeframe: AskedTimeframe = "30d"
) -> Response:
    """Totals, and what was created in the timeframe."""
    span, audience = service.span_of(timeframe), files.audience_of(holder)
    key = _key(span, audience)
    return await _cached(request, cache, DASHBOARD, key, lambda: service.dashboard(db, span, audience))


@router.get("/systems", summary="Get systems statistics", response_model=SystemsStats, responses=UNCHECKED)
async def get_systems_stats(request: Request, db: Db, cache: Cache) -> Response:
    """Numbers of systems, by status and by type."""
    return await _cached(request, cache, SYSTEMS, ALL, lambda: systems.statistics(db))


@router.get("/ideas", summary="Get ideas statistics", response_model=IdeasStats, responses=UNCHECKED)
async def get_ideas_stats(request: Request, db: Db, cache: Cache) -> Response:
    """Numbers of ideas, by status, priority and category."""
    return await _cached(request, cache, IDEAS, ALL, lambda: ideas.statistics(db))


@router.get("/files", summary="Get files statistics", response_model=FilesStats, responses=UNCHECKED)
async def get_files_stats(request: Request, db: Db, cache: Cache, holder: Holder) -> Response:
    """Number and bytes of files, and their types."""
    audience = files.audience_of(holder)
    key = cache_key(audience=audience.name)
    return await _cached(request, cache, FILES, key, lambda: files.statistics(db, audience))


@router.get("/health", summary="Get health summary", response_model=HealthSummary, responses=UNCHECKED)
async def get_health_summary(request: Request, db: Db, cache: Cache) -> Response:
    """Numbers of systems by status, and the state of the whole."""
    return await _cached(request, cache, HEALTH, ALL, lambda: service.health(db))


@router.get("/analytics", summary="Get analytics data", response_model=AnalyticsData, responses=CHECKED)
async def get_analytics(
    request: Request, db: Db, cache: Cache, holder: Holder, timeframe: AskedTimeframe = "30d"
) -> Response:
    """Numbers of rows created on each day of the timeframe."""
    span, audience = service.span_of(timeframe), files.audience_of(holder)
    key = _key(span, audience)
    return await _cached(request, cache, ANALYTICS, key, lambda: service.analytics(db, span, audience))


@router.get(
    "/search",
    summary="Global search across entities",
    description="Systems, ideas and files that match, each as its own endpoints show it; a list that is not "
    "asked for is empty.",
    response_model=StatsSearchResponse,
    responses=CHECKED,
)
async def search_everything(
    request: Request, db: Db, cache: Cache, holder: Holder, query: Annotated[StatsSearchQuery, Query()]
) -> Response:
    audience = files.audience_of(holder)
    key = cache_key(audience=audience.name, **query.model_dump())
    return await _cached(request, cache, SEARCH, key, lambda: service.search(db, query, audience))


@router.get(
    "/activity",
    summary="Get recent activity",
    description="What was created and changed lately, newest first, from the audit trail.",
    response_model=ActivityData,
    responses=CHECKED,
)
async def get_activity(
    request: Request,
    db: Db,
    cache: Cache,
    features: Features,
    holder: Holder,
    query: Annotated[ActivityQuery, Query()],
) -> Response:
    kinds = (kind for feature in features for kind in feature.activities)
    policy = activity_policy(tuple(tag for kind in kinds for tag in kind.tags))
    asking = None if holder is None else (holder.name, holder.scope)
    key = cache_key(holder=asking, **query.model_dump())
    return await _cached(request, cache, policy, key, lambda: service.activity(db, query, features, holder))
