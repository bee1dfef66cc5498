"""Service of statistics: which ideas are active, when the whole is healthy, and activities in words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from core.database.client import Database
from core.feature import Feature, names_by_entity
from core.http.request.access import Principal
from core.http.request.fields import now
from features.audit import api as audit
from features.files import api as files
from features.ideas import api as ideas
from features.stats.schemas import (
    DAYS,
    Activity,
    ActivityData,
    ActivityQuery,
    AnalyticsData,
    DashboardStats,
    DayCount,
    FileTotals,
    HealthCounts,
    HealthSummary,
    IdeaTotals,
    Overall,
    Span,
    StatsSearchQuery,
    StatsSearchResponse,
    SystemTotals,
    Timeframe,
)
from features.systems import api as systems

CRITICAL_SHARE: Final = 4
"""Divisor of the critical share: one in so many systems offline is critical."""

_UNTOLD: Final = frozenset({"updatedAt"})
"""Fields that change with every update, and so are not named."""


def span_of(timeframe: Timeframe) -> Span:
    """Days of the timeframe up to today, UTC."""
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=DAYS[timeframe] - 1)
    days = tuple((since + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(DAYS[timeframe]))
    return Span(timeframe=timeframe, days=days, since=since)


async def dashboard(db: Database, span: Span, audience: files.Audience) -> DashboardStats:
    """Totals of the dashboard. Six queries."""
    of_systems = await systems.statistics(db)
    of_ideas = await ideas.statistics(db)
    of_files = await files.statistics(db, audience)
    created = await _series(db, span, audience)
    done, rejected = of_ideas.by_status.completed, of_ideas.by_status.rejected
    return DashboardStats(
        timeframe=span.timeframe,
        systems=SystemTotals(
            total=of_systems.total,
            online=of_systems.by_status.online,
            offline=of_systems.by_status.offline,
            degraded=of_systems.by_status.error,
            planned=of_systems.by_status.planned,
            created=_total(created.systems),
        ),
        ideas=IdeaTotals(
            total=of_ideas.total,
            active=of_ideas.total - done - rejected,
            completed=done,
            rejected=rejected,
            created=_total(created.ideas),
        ),
        files=FileTotals(total=of_files.total, total_size=of_files.total_size, created=_total(created.files)),
        last_updated=now(),
    )


async def health(db: Database) -> HealthSummary:
    """Health of the systems. One query."""
    found = await systems.statistics(db)
    counts = HealthCounts(
        total=found.total,
        healthy=found.by_status.online,
        degraded=found.by_status.error,
        critical=found.by_status.offline,
        planned=found.by_status.planned,
    )
    return HealthSummary(overall=overall_of(counts), systems=counts, last_checked=found.last_checked or now())


def overall_of(counts: HealthCounts) -> Overall:
    """Overall health by the rule that `HealthSummary` states."""
    in_operation = counts.healthy + counts.degraded + counts.critical
    if counts.healthy == in_operation:
        return "healthy"
    return "critical" if counts.critical * CRITICAL_SHARE >= in_operation else "degraded"


async def analytics(db: Database, span: Span, audience: files.Audience) -> AnalyticsData:
    """Series by day. Three queries."""
    return await _series(db, span, audience)


async def search(db: Database, query: StatsSearchQuery, audience: files.Audience) -> StatsSearchResponse:
    """Search results. One query for each list that is asked for, two for ideas."""
    found = (await ideas.search(db, query.q, limit=query.limit)).rows if query.ideas else []
    return StatsSearchResponse.model_construct(
        systems=await systems.search(db, query.q, limit=query.limit) if query.systems else [],
        ideas=[idea for idea, _ in found],
        files=await files.search(db, query.q, audience, limit=query.limit) if query.files else [],
    )


async def activity(
    db: Database, query: ActivityQuery, features: Sequence[Feature], holder: Principal | None
) -> ActivityData:
    """One query of the trail, and for each entity at most one of its rows that may be told of, and one of
    their names.
    """
    kinds = [kind for feature in features for kind in feature.activities]
    names_of = names_by_entity(features)
    since = now() - timedelta(days=query.days)
    wanted = [audit.TraceKind(each.name, each.entity, action) for each in kinds for action in each.verbs]
    traces = await audit.recent(db, wanted, since, limit=query.limit)
    names: dict[str, Mapping[str, str]] = {}
    for each in kinds:
        ids = {trace.entity_id for trace in traces if trace.entity == each.entity}
        if ids and each.visible is not None:
            seen = await each.visible(db, ids, holder)
            traces = [trace for trace in traces if trace.entity != each.entity or trace.entity_id in seen]
        unnamed = {trace.entity_id for trace in traces if trace.entity == each.entity and trace.label is None}
        if unnamed:
            names[each.entity] = await names_of[each.entity](db, unnamed)
    verbs = {each.entity: each.verbs for each in kinds}
    activities = [_activity(each, verbs[each.entity], names.get(each.entity, {})) for each in traces]
    return ActivityData(timeframe=f"{query.days}d", activities=activities)


async def _series(db: Database, span: Span, audience: files.Audience) -> AnalyticsData:
    return AnalyticsData(
        timeframe=span.timeframe,
        systems=_dense(await systems.created_by_day(db, span.since), span),
        ideas=_dense(await ideas.created_by_day(db, span.since), span),
        files=_dense(await files.created_by_day(db, span.since, audience), span),
    )


def _dense(counts: Mapping[str, int], span: Span) -> list[DayCount]:
    return [DayCount(date=day, count=counts.get(day, 0)) for day in span.days]


def _total(series: Sequence[DayCount]) -> int:
    return sum(day.count for day in series)


def _activity(trace: audit.Trace, verbs: Mapping[str, str], names: Mapping[str, str]) -> Activity:
    verb = verbs[trace.action]
    return Activity.model_construct(
        id=trace.id,
        type=f"{trace.entity}_{verb}",
        entity=trace.entity,
        entity_id=trace.entity_id,
        description=_sentence(trace, verb, names),
        timestamp=trace.at,
        user=trace.user,
    )


def _sentence(trace: audit.Trace, verb: str, names: Mapping[str, str]) -> str:
    """A row that has been deleted since is not named, unless the entry itself says what it was called."""
    name = trace.label or names.get(trace.entity_id)
    subject = f'{trace.entity.capitalize()} "{name}"' if name else f"A former {trace.entity}"
    told = [field for field in trace.fields if field not in _UNTOLD] if trace.action == "updated" else []
    return f"{subject} was {verb}: {', '.join(told)}" if told else f"{subject} was {verb}"
