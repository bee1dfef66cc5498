"""Changes of one item. Each is one statement: the row, the entry in the audit trail, and the row's finished JSON.

`{audited}` stands for the statement of the audit trail, which `Entries` makes of the query `changed`.
"""

from collections.abc import Callable, Sequence
from typing import Final

from core.database.client import Database
from core.database.json import CLOCK, Arguments
from core.http.rows import Row, current
from features.items.errors import ItemChanged
from features.items.queries.shape import item_json
from features.items.schemas import CreateItem, UpdateItem

Entries = Callable[[str, Arguments], str]
"""Given the name of a query of changed rows (`id`, `before`, `after`), the statement that leaves its entries."""

_CREATE: Final = f"""
WITH created AS (
    INSERT INTO items (id, title, description, category, priority, tags, created_at)
    SELECT $1, given.title, given.description, given.category, given.priority, given.tags, clock.now
    FROM jsonb_populate_record(NULL::items, $2::jsonb) AS given, ({CLOCK} OFFSET 0) AS clock
    RETURNING *),
shown AS MATERIALIZED (SELECT id, version, {item_json("created")} AS data FROM created),
changed AS (SELECT id, NULL::jsonb AS before, data::jsonb AS after FROM shown),
audited AS ({{audited}})
SELECT concat(version, ' ', data) FROM shown
"""

# The row is held first, so it is the newest one even if somebody else has just changed it.
_HELD: Final = f"""
WITH held AS MATERIALIZED (SELECT items AS row FROM items WHERE id = $1 FOR {{strength}}),
old AS MATERIALIZED (SELECT row, (row).version, {item_json("(row)")} AS data FROM held)"""

_UPDATE: Final = f"""
{_HELD.format(strength="NO KEY UPDATE")},
updated AS (
    UPDATE items SET title = given.title, description = given.description, category = given.category,
        priority = given.priority, status = given.status, tags = given.tags,
        updated_at = clock.now, version = items.version + 1
    FROM old, jsonb_populate_record(old.row, $2::jsonb) AS given, LATERAL ({CLOCK}, old.row) AS clock
    WHERE items.id = (old.row).id AND {current("old", "$3")}
    RETURNING items.*),
shown AS MATERIALIZED (SELECT id, version, {item_json("updated")} AS data FROM updated),
changed AS (SELECT id, old.data::jsonb AS before, shown.data::jsonb AS after FROM shown, old),
audited AS ({{audited}})
SELECT CASE WHEN shown IS NULL THEN 'changed' ELSE concat(shown.version, ' ', shown.data) END
FROM old LEFT JOIN shown ON true
"""
