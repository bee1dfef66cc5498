"""What a page of the trail holds, and how retention is begun."""

from core.database.client import Database
from core.errors import FieldError, Invalid
from core.http.envelope import ListEnvelope, listed
from core.http.pagination import Position, bad_cursor, decode_position, position_cursor
from core.jobs import Jobs, JobView
from core.jobs.views import Enqueuer
from core.settings import Settings
from features.audit import queries
from features.audit.schemas import COUNTED_AT_MOST, RETENTION_KIND, AuditQuery, AuditRecord, Place
from features.audit.settings import AuditSettings


async def list_entries(db: Database, query: AuditQuery) -> ListEnvelope[AuditRecord]:
    """At most two queries, whose cost does not depend on the length of the trail: matches are counted up to
    `COUNTED_AT_MOST`, and when there are more the answer has no `total`.
    """
    if query.cursor is not None and query.offset:
        raise Invalid(
            "Validation failed", details=[FieldError("offset", "cannot be used together with cursor")]
        )
    after = None if query.cursor is None else _place(query.cursor)
    # One more than asked for tells whether there is a next page.
    take = query.limit + 1
    entries = await queries.find_entries(db, query, after=after, offset=query.offset, take=take)
    complete = len(entries) < take
    entries = entries[: query.limit]
    total: int | None = len(entries)
    if not complete or after is not None or query.offset:
        counted = await queries.count_entries(db, query, at_most=COUNTED_AT_MOST + 1)
        total = counted if counted <= COUNTED_AT_MOST else None
    cursor = None if complete else position_cursor(Position(entries[-1].at, entries[-1].id))
    return listed(entries, total=total, next_cursor=cursor)


async def begin_retention(db: Database, jobs: Jobs, settings: Settings, actor: Enqueuer) -> JobView:
    """How long entries are kept is decided by who runs the server, not by who asks. Raises JobConflict."""
    return await jobs.enqueue(
        db, RETENTION_KIND, {"days": settings.of(AuditSettings).audit_retention_days}, actor
    )


def _place(cursor: str) -> Place:
    position = decode_position(cursor)
    if not (position.id.isascii() and position.id.isdigit() and len(position.id) <= 18):
        raise bad_cursor(cursor)
    return Place(position.created_at, int(position.id))
