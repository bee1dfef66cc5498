"""Changes of one item. Each is one statement, and so one transaction: the row, the entry in the audit trail,
and the row's JSON for the answer.
"""

from collections.abc import Sequence
from typing import Final

from core.database.client import Database
from core.database.json import NOW, row_answer, row_tag
from core.http.rows import Row
from features.audit import api as audit
from features.items.errors import ItemChanged
from features.items.queries.shape import item_json
from features.items.schemas import CreateItem, UpdateItem

ENTITY: Final = "item"
STALE: Final = "stale"
"""What a statement says instead of a row that is not as its writer has seen it."""

_CREATE: Final = f"""
WITH created AS (
    INSERT INTO items (id, title, description, category, priority, tags, created_at)
    SELECT $1, given.title, given.description, given.category, given.priority, given.tags, {NOW}
    FROM jsonb_populate_record(NULL::items, $2::jsonb) AS given
    RETURNING *),
shown AS MATERIALIZED (SELECT id, version, {item_json("created")} AS json FROM created),
changed AS (SELECT id, NULL::jsonb AS before, json::jsonb AS after FROM shown),
audited AS ({audit.entries_of("changed", ENTITY, "created", author=3)})
SELECT {row_answer("version", "json")} FROM shown
"""

# Held before it is looked at: then it is the newest, also when somebody else was just changing it.
_OLD: Final = (
    f"""old AS MATERIALIZED (SELECT row, (row).id, (row).version, {item_json("(row)")} AS json FROM held)"""
)

_WANTED: Final = f"($2::text[] IS NULL OR {row_tag('old.version', 'old.json')} = ANY($2))"

_UPDATE: Final = f"""
WITH held AS MATERIALIZED (SELECT items AS row FROM items WHERE id = $1 FOR NO KEY UPDATE),
{_OLD},
updated AS (
    UPDATE items SET title = given.title, description = given.description, category = given.category,
        priority = given.priority, status = given.status, tags = given.tags,
        updated_at = {NOW}, version = items.version + 1
    FROM old, jsonb_populate_record(old.row, $6::jsonb) AS given
    WHERE items.id = old.id AND {_WANTED}
    RETURNING items.*),
shown AS MATERIALIZED (SELECT id, version, {item_json("updated")} AS json FROM updated),
changed AS (SELECT shown.id, old.json::jsonb AS before, shown.json::jsonb AS after FROM shown, old),
audited AS ({audit.entries_of("changed", ENTITY, "updated", author=3)})
SELECT coalesce((SELECT {row_answer("version", "json")} FROM shown), '{STALE}') FROM old
"""

_DELETE: Final = f"""
WITH held AS MATERIALIZED (SELECT items AS row FROM items WHERE id = $1 FOR UPDATE),
{_OLD},
deleted AS (DELETE FROM items USING old WHERE items.id = old.id AND {_WANTED} RETURNING items.id),
changed AS (SELECT id, json::jsonb AS before, NULL::jsonb AS after FROM old JOIN deleted USING (id)),
audited AS ({audit.entries_of("changed", ENTITY, "deleted", author=3)})
SELECT CASE WHEN EXISTS (SELECT FROM deleted) THEN {row_answer("version", "json")} ELSE '{STALE}' END FROM old
"""


async def create_item(db: Database, author: audit.Author, item_id: str, values: CreateItem) -> Row:
    """Raises prisma's UniqueViolationError for an id that is stored."""
    created = await db.query_text(_CREATE, item_id, values.model_dump_json(), *_of(author))
    assert created is not None  # an insert gives its row
    return Row.parse(created)


async def update_item(
    db: Database, author: audit.Author, item_id: str, values: UpdateItem, tags: Sequence[str] | None
) -> Row | None:
    """Changes the fields that `values` was given, and counts the version up. None: there is no such item.

    Raises ItemChanged unless its ETag is one of the `tags`; None takes any.
    """
    given = values.model_dump_json(exclude_unset=True)
    return _written(item_id, await db.query_text(_UPDATE, item_id, tags, *_of(author), given))


async def delete_item(
    db: Database, author: audit.Author, item_id: str, tags: Sequence[str] | None
) -> Row | None:
    """The item as it was. None: there is no such item. Raises ItemChanged as `update_item` does."""
    return _written(item_id, await db.query_text(_DELETE, item_id, tags, *_of(author)))


def _of(author: audit.Author) -> tuple[str, str | None, str | None]:
    return author.name, author.request_id, author.client


def _written(item_id: str, answer: bytes | None) -> Row | None:
    if answer == STALE.encode():
        raise ItemChanged(item_id)
    return None if answer is None else Row.parse(answer)
