"""Service of the audit trail: pages of entries, and retention."""

from typing import Final

from core.database.client import Author, Database
from core.http.answers.envelope import ListEnvelope, listed
from core.http.answers.pagination import check_start, decode_place, encode_place, moment_of
from core.jobs import Jobs, JobView
from core.settings import Settings
from features.audit import queries
from features.audit.schemas import COUNTED_AT_MOST, RETENTION_KIND, AuditQuery, AuditRecord, Place
from features.audit.settings import AuditSettings

_SCOPE: Final = ("audit",)


async def list_entries(db: Database, query: AuditQuery) -> ListEnvelope[AuditRecord]:
    """Page of entries with at most two queries, whose cost does not depend on the length of the trail:
    matches are counted up to `COUNTED_AT_MOST`, and when there are more the answer has no `total`.
    """
    check_start(query.cursor, query.offset)
    after = None
    if query.cursor is not None:
        after = Place(*decode_place(_SCOPE, query.cursor, moment_of, _number_of, issued_bare=True))
    # One more than asked for tells whether there is a next page.
    take = query.limit + 1
    entries = await queries.find_entries(db, query, after=after, offset=query.offset, take=take)
    complete = len(entries) < take
    entries = entries[: query.limit]
    total: int | None = len(entries)
    if not complete or after is not None or query.offset:
        counted = await queries.count_entries(db, query, at_most=COUNTED_AT_MOST + 1)
        total = counted if counted <= COUNTED_AT_MOST else None
    cursor = None if complete else encode_place(_SCOPE, entries[-1].at, entries[-1].id)
    return listed(entries, total=total, next_cursor=cursor)


async def begin_retention(db: Database, jobs: Jobs, settings: Settings, actor: Author) -> JobView:
    """Begin the job of retention; its period is a setting, not a choice of who asks. Raises JobConflict."""
    return await jobs.enqueue(
        db, RETENTION_KIND, {"days": settings.of(AuditSettings).audit_retention_days}, actor
    )


def _number_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError
    return int(text)
