"""What other slices show of ideas: counts, titles, the best matches of a text."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.timestamps import to_iso
from features.ideas.queries.rows import WITH_SYSTEM, IdeaRow, idea_of
from features.ideas.schemas import Idea, IdeaCategoryCounts, IdeaPriorityCounts, IdeasStats, IdeaStatusCounts

_RANKED_AT_MOST: Final = 300
"""Of more matches than this the newest are ranked."""

_STATISTICS: Final = """
SELECT status, priority, category, sum(ideas)::int AS count
FROM idea_totals GROUP BY GROUPING SETS ((status), (priority), (category))
"""

_CREATED_BY_DAY: Final = """
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count
FROM ideas WHERE created_at >= $1::timestamptz GROUP BY day
"""

_TITLES: Final = "SELECT id, title FROM ideas WHERE id = ANY($1::text[])"

_WORDS: Final = "handover_words(title, description)"
_SEARCH: Final = f"""
WITH matching AS MATERIALIZED (
    SELECT id, created_at FROM ideas WHERE {_WORDS} @@ handover_query($1)),
newest AS (SELECT id FROM matching ORDER BY created_at DESC, id LIMIT {_RANKED_AT_MOST})
SELECT ideas.id FROM ideas JOIN newest USING (id)
ORDER BY ts_rank({_WORDS}, handover_query($1)) DESC, created_at DESC, ideas.id LIMIT $2::int
"""


async def statistics(db: Database) -> IdeasStats:
    counts: dict[str, dict[str, int]] = {"status": {}, "priority": {}, "category": {}}
    for row in await db.query_raw(_STATISTICS):
        for column, found in counts.items():
            if row[column] is not None:
                found[row[column]] = row["count"]
    return IdeasStats(
        total=sum(counts["status"].values()),
        by_status=IdeaStatusCounts(**counts["status"]),
        by_priority=IdeaPriorityCounts(**counts["priority"]),
        by_category=IdeaCategoryCounts(**counts["category"]),
    )


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    rows = await db.query_raw(_CREATED_BY_DAY, to_iso(since))
    return {row["day"]: row["count"] for row in rows}


async def titles_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    return {row["id"]: row["title"] for row in await db.query_raw(_TITLES, list(ids))}


async def search_ideas(db: Database, text: str, *, limit: int) -> list[Idea]:
    """With their systems, the best match first; words in the title count more. Two queries."""
    ids = [row["id"] for row in await db.query_raw(_SEARCH, text, limit)]
    rows = await IdeaRow.prisma(db).find_many(where={"id": {"in": ids}}, include=WITH_SYSTEM) if ids else []
    by_id = {row.id: row for row in rows}
    return [idea_of(by_id[idea_id]) for idea_id in ids if idea_id in by_id]
