"""Changes of one idea. Each is one statement, and so one transaction: the row, the entry in the audit trail,
and the row's JSON for the answer.
"""

from collections.abc import Sequence
from typing import Final

from prisma.errors import ForeignKeyViolationError, UniqueViolationError

from core.database.client import Database
from core.database.json import NOW, row_answer, row_tag
from core.http.rows import Row
from features.audit import api as audit
from features.ideas.errors import IdeaChanged, IdeaExists, ReferencedSystemNotFound
from features.ideas.queries.shape import idea_json
from features.ideas.schemas import CreateIdea, UpdateIdea
from features.systems import api as systems

ENTITY: Final = "idea"
AUTHOR: Final = "$3::text, $4::text, $5::text"
STALE: Final = "stale"
"""What a statement says instead of a row that is not as its writer has seen it."""

_CREATE: Final = f"""
WITH system AS MATERIALIZED ({systems.held("$6")}),
given AS MATERIALIZED (
    SELECT idea.*, {NOW} AS now FROM (SELECT count(*) FROM system) AS held,
        jsonb_populate_record(NULL::ideas, $2::jsonb) AS idea),
created AS (
    INSERT INTO ideas (id, title, description, category, priority, status, tags, system_id, assigned_to,
        created_by, estimated_hours, actual_hours, due_date, completed_at, created_at)
    SELECT $1, title, description, category, priority, status, tags, system_id, assigned_to,
        created_by, estimated_hours, actual_hours, due_date,
        CASE WHEN status = 'completed' THEN now END, now
    FROM given
    RETURNING *),
shown AS MATERIALIZED (SELECT id, row_version, {idea_json("created")} AS json FROM created),
changed AS (SELECT id, NULL::jsonb AS before, json::jsonb - 'system' AS after FROM shown),
audited AS ({audit.entries_of("changed", ENTITY, "created", author=AUTHOR)})
SELECT {row_answer("row_version", "json")} FROM shown
"""

# Held before it is looked at: then it is the newest, also when somebody else was just changing it. Its system
# is held first, as everybody does who needs both.
_OLD: Final = f"""old AS MATERIALIZED (
    SELECT row, (row).id, (row).row_version, {NOW} AS now, {idea_json("(row)")} AS json FROM held)"""

_WANTED: Final = f"($2::text[] IS NULL OR {row_tag('old.row_version', 'old.json')} = ANY($2))"

_UPDATE: Final = f"""
WITH system AS MATERIALIZED ({systems.held("$7")}),
held AS MATERIALIZED (
    SELECT ideas AS row FROM ideas, (SELECT count(*) FROM system) AS first
    WHERE id = $1 FOR NO KEY UPDATE OF ideas),
{_OLD},
updated AS (
    UPDATE ideas SET title = given.title, description = given.description, category = given.category,
        priority = given.priority, status = given.status, tags = given.tags, system_id = given.system_id,
        assigned_to = given.assigned_to, estimated_hours = given.estimated_hours,
        actual_hours = given.actual_hours, due_date = given.due_date,
        completed_at = CASE WHEN given.status = 'completed' THEN coalesce(given.completed_at, old.now) END,
        updated_at = old.now, row_version = ideas.row_version + 1
    FROM old, jsonb_populate_record(old.row, $6::jsonb) AS given
    WHERE ideas.id = old.id AND {_WANTED}
    RETURNING ideas.*),
shown AS MATERIALIZED (SELECT id, row_version, {idea_json("updated")} AS json FROM updated),
changed AS (
    SELECT shown.id, old.json::jsonb - 'system' AS before, shown.json::jsonb - 'system' AS after
    FROM shown, old),
audited AS ({audit.entries_of("changed", ENTITY, "updated", author=AUTHOR)})
SELECT coalesce((SELECT {row_answer("row_version", "json")} FROM shown), '{STALE}') FROM old
"""

_DELETE: Final = f"""
WITH held AS MATERIALIZED (SELECT ideas AS row FROM ideas WHERE id = $1 FOR UPDATE),
{_OLD},
deleted AS (DELETE FROM ideas USING old WHERE ideas.id = old.id AND {_WANTED} RETURNING ideas.id),
changed AS (
    SELECT id, json::jsonb - 'system' AS before, NULL::jsonb AS after FROM old JOIN deleted USING (id)),
audited AS ({audit.entries_of("changed", ENTITY, "deleted", author=AUTHOR)})
SELECT CASE WHEN EXISTS (SELECT FROM deleted) THEN {row_answer("row_version", "json")} ELSE '{STALE}' END
FROM old
"""


async def create_idea(db: Database, author: audit.Author, idea_id: str, values: CreateIdea) -> Row:
    """Created by the author, unless the values name somebody. Raises ReferencedSystemNotFound, or IdeaExists
    for an id that is stored.
    """
    try:
        created = await db.query_text(
            _CREATE, idea_id, values.model_dump_json(), *_of(author), values.system_id
        )
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    except UniqueViolationError:
        raise IdeaExists(idea_id) from None
    assert created is not None  # an insert gives its row
    return Row.parse(created)


async def update_idea(
    db: Database, author: audit.Author, idea_id: str, values: UpdateIdea, tags: Sequence[str] | None
) -> Row | None:
    """Changes the fields that `values` was given, and counts the version up; a move into `completed` sets the
    moment of completion, one out of it clears it. None: there is no such idea.

    Raises IdeaChanged unless its ETag is one of the `tags` (None takes any), and ReferencedSystemNotFound.
    """
    given = values.model_dump_json(exclude_unset=True)
    try:
        answer = await db.query_text(_UPDATE, idea_id, tags, *_of(author), given, values.system_id)
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    return _written(idea_id, answer)


async def delete_idea(
    db: Database, author: audit.Author, idea_id: str, tags: Sequence[str] | None
) -> Row | None:
    """The idea as it was. None: there is no such idea. Raises IdeaChanged as `update_idea` does."""
    return _written(idea_id, await db.query_text(_DELETE, idea_id, tags, *_of(author)))


def _of(author: audit.Author) -> tuple[str, str | None, str | None]:
    return author.name, author.request_id, author.client


def _written(idea_id: str, answer: bytes | None) -> Row | None:
    if answer == STALE.encode():
        raise IdeaChanged(idea_id)
    return None if answer is None else Row.parse(answer)
