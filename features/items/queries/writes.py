"""Changes of items. Each is one statement, and so one transaction: the rows, their entries in the audit
trail, and the rows' JSON for the answers. Creations and updates that meet share theirs (`core.group_commit`).
"""

from collections.abc import Sequence
from typing import Final

import orjson

from core.database.client import Database
from core.database.json import NOW, row_answer, row_tag
from core.group_commit import Outcomes, Write
from core.http.rows import Row
from features.audit import api as audit
from features.items.errors import ItemChanged, ItemNotFound
from features.items.queries.shape import item_json
from features.items.schemas import CreateItem, UpdateItem

ENTITY: Final = "item"
STALE: Final = "stale"
"""What a statement says instead of a row that is not as its writer has seen it."""

_AUTHOR: Final = "author, request_id, client"

# $1 is an array of objects. A line of the answer begins with the place, from 1, of the one it belongs to.
_CREATE: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
        id text, title text, description text, category text, priority text, tags text[],
        author text, request_id text, client text)) WITH ORDINALITY),
created AS (
    INSERT INTO items (id, title, description, category, priority, tags, created_at)
    SELECT id, title, description, category, priority, tags, {NOW} FROM given
    RETURNING *),
shown AS MATERIALIZED (SELECT id, version, {item_json("created")} AS json FROM created),
changed AS (
    SELECT id, NULL::jsonb AS before, json::jsonb AS after, {_AUTHOR} FROM shown JOIN given USING (id)),
audited AS ({audit.entries_of("changed", ENTITY, "created", author=_AUTHOR)})
SELECT string_agg(concat(ordinality, ' ', {row_answer("version", "json")}), E'\\n')
FROM shown JOIN given USING (id)
"""


def _update(locked: str) -> str:
    # Held before it is looked at: then it is the newest, also when somebody else was just changing it.
    return f"""
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
        id text, etags text[], fields jsonb, author text, request_id text, client text)) WITH ORDINALITY),
held AS MATERIALIZED (
    SELECT items AS row, given.* FROM items JOIN given USING (id)
    ORDER BY id FOR NO KEY UPDATE OF items{locked}),
old AS MATERIALIZED (SELECT held.*, (row).version, {item_json("(row)")} AS json FROM held),
updated AS (
    UPDATE items SET title = new.title, description = new.description, category = new.category,
        priority = new.priority, status = new.status, tags = new.tags,
        updated_at = {NOW}, version = items.version + 1
    FROM old, jsonb_populate_record(old.row, old.fields) AS new
    WHERE items.id = old.id AND (etags IS NULL OR {row_tag("old.version", "old.json")} = ANY(etags))
    RETURNING items.*),
shown AS MATERIALIZED (SELECT id, version, {item_json("updated")} AS json FROM updated),
changed AS (
    SELECT id, old.json::jsonb AS before, shown.json::jsonb AS after, {_AUTHOR}
    FROM shown JOIN old USING (id)),
audited AS ({audit.entries_of("changed", ENTITY, "updated", author=_AUTHOR)})
SELECT string_agg(concat(ordinality, ' ', CASE WHEN shown.id IS NULL THEN '{STALE}'
    ELSE {row_answer("shown.version", "shown.json")} END), E'\\n')
FROM old LEFT JOIN shown USING (id)
"""


_UPDATE_WAITING: Final = _update("")
_UPDATE_FREE: Final = _update(" SKIP LOCKED")

_DELETE: Final = f"""
WITH held AS MATERIALIZED (SELECT items AS row FROM items WHERE id = $1 FOR UPDATE),
old AS MATERIALIZED (SELECT (row).id, (row).version, {item_json("(row)")} AS json FROM held),
deleted AS (
    DELETE FROM items USING old
    WHERE items.id = old.id AND ($2::text[] IS NULL OR {row_tag("old.version", "old.json")} = ANY($2))
    RETURNING items.id),
changed AS (SELECT id, json::jsonb AS before, NULL::jsonb AS after FROM old JOIN deleted USING (id)),
audited AS ({audit.entries_of("changed", ENTITY, "deleted", author="$3::text, $4::text, $5::text")})
SELECT CASE WHEN EXISTS (SELECT FROM deleted) THEN {row_answer("version", "json")} ELSE '{STALE}' END FROM old
"""


def creation(author: audit.Author, item_id: str, values: CreateItem) -> Write:
    """For `create_items`."""
    return _write(author, item_id, values.model_dump())


def change(author: audit.Author, item_id: str, values: UpdateItem, tags: Sequence[str] | None) -> Write:
    """For `update_items`: of the fields that `values` was given, if the item's ETag is one of the `tags`
    (None: any is).
    """
    return _write(author, item_id, {"etags": tags, "fields": values.model_dump(exclude_unset=True)})


async def create_items(db: Database, creations: Sequence[Write], wait: bool) -> Outcomes[Row]:
    """Raises prisma's UniqueViolationError for an id that is stored."""
    return _outcomes(creations, await db.query_text(_CREATE, _array(creations)))


async def update_items(db: Database, changes: Sequence[Write], wait: bool) -> Outcomes[Row]:
    """Counts the version up. An item that somebody else holds is waited for, or missing in the result."""
    outcomes = _outcomes(
        changes, await db.query_text(_UPDATE_WAITING if wait else _UPDATE_FREE, _array(changes))
    )
    if not wait:
        return outcomes
    return {each.row: outcomes.get(each.row, ItemNotFound(each.row)) for each in changes}


async def delete_item(db: Database, author: audit.Author, item_id: str, tags: Sequence[str] | None) -> Row:
    """The item as it was. Raises ItemNotFound; ItemChanged unless its ETag is one of the `tags` (None takes
    any).
    """
    answer = await db.query_text(_DELETE, item_id, tags, author.name, author.request_id, author.client)
    if answer is None:
        raise ItemNotFound(item_id)
    if answer == STALE.encode():
        raise ItemChanged(item_id)
    return Row.parse(answer)


def _write(author: audit.Author, item_id: str, facts: dict[str, object]) -> Write:
    who = {"author": author.name, "request_id": author.request_id, "client": author.client}
    return Write(item_id, orjson.dumps({"id": item_id, **facts, **who}))


def _array(writes: Sequence[Write]) -> str:
    return (b"[%b]" % b",".join([each.json for each in writes])).decode()


def _outcomes(writes: Sequence[Write], answer: bytes | None) -> Outcomes[Row]:
    outcomes: dict[str, Row | Exception] = {}
    for line in answer.split(b"\n") if answer is not None else ():
        place, _, row = line.partition(b" ")
        item_id = writes[int(place) - 1].row
        outcomes[item_id] = ItemChanged(item_id) if row == STALE.encode() else Row.parse(row)
    return outcomes
