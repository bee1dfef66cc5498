"""Items for other slices: bulk takeover of records of the old service, with a proof that they are unchanged.

An import parses each source record with `LegacyItem.parse`, passes batches of `LegacyItem.row` to
`load_rows`, and afterwards verifies with `compare` that the table equals the source. A digest is the SHA-256
of such a row, compact JSON of all fields, so no two different items share a text; PostgreSQL computes the
same from its columns.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import Difference, Verdict
from features.items import queries
from features.items.api.legacy import LegacyItem, canonical_digest, content_digest
from features.items.cache import ITEM_TAGS
from features.items.errors import InvalidLegacyItem, ItemExists
from features.items.schemas import Item, ItemQuery, LoadCounts, OnConflict
from features.items.service import LIST
from features.items.sql import bulk, takeover

__all__ = [
    "ITEM_TAGS",
    "LIST",
    "TAKEOVER",
    "InvalidLegacyItem",
    "Item",
    "ItemExists",
    "ItemQuery",
    "LegacyItem",
    "LoadCounts",
    "OnConflict",
    "canonical_digest",
    "changed_here",
    "compare",
    "content_digest",
    "count",
    "every_id",
    "existing_ids",
    "load_rows",
    "records",
    "verdicts",
]

TAKEOVER: Final = takeover.TAKEOVER
"""The table as imports of items know it."""

_IDS_AT_ONCE: Final = 10_000


async def load_rows(tx: Database, rows_json: str, job_id: str, on_conflict: OnConflict) -> LoadCounts:
    """Write a batch, the text of a JSON array of `LegacyItem.row`, in one statement; ids within it must be
    unique.

    `skip` keeps stored rows, `overwrite` makes those that differ equal to the source (identical ones are not
    touched), `fail` raises `ItemExists` if one is stored that this job did not write itself; the caller's
    transaction is then rolled back.
    """
    counts = await bulk.load_rows(tx, rows_json, job_id, overwrite=on_conflict == "overwrite")
    if on_conflict == "fail" and counts.kept:
        ids = [fields[0] for fields, _ in orjson.loads(rows_json)]
        if stored := await bulk.existing_ids(tx, ids, other_than_job=job_id):
            raise ItemExists(stored[:5])
    return counts


async def compare(db: Database, proofs_json: str) -> list[Difference]:
    """Items that are missing or different in the table. `proofs_json` is the text of a JSON array of `[id,
    digest]`, digests by `canonical_digest`.
    """
    return await bulk.compare(db, proofs_json)


async def count(db: Database) -> int:
    return await queries.count_items(db)


async def existing_ids(db: Database, ids: Sequence[str]) -> list[str]:
    """Ids among these that are stored."""
    return await bulk.existing_ids(db, ids)


async def changed_here(db: Database, ids: Sequence[str]) -> list[str]:
    """Ids among these that are stored and have changed since the last import."""
    return await takeover.changed_here(db, ids)


async def verdicts(tx: Database, entries_json: str) -> dict[str, Verdict]:
    """Verdicts by id on rows whose source has changed. `entries_json` is the text of a JSON array of `{"id",
    "digest", "content", "base"}`: the `canonical_digest` and `content_digest` of now, and the former of the
    last import, null if there was none. A row with the source's content agrees with it, whenever it was
    changed. Rows that exist are locked until the transaction ends.
    """
    return await takeover.verdicts(tx, entries_json)


async def records(db: Database, ids: Sequence[str]) -> dict[str, LegacyItem]:
    """Items in the form of the old service, by id; those that do not exist are left out."""
    return {item.id: item for item in (LegacyItem._make(row) for row in await takeover.records(db, ids))}


async def every_id(db: Database) -> AsyncIterator[list[str]]:
    """Batches of all ids, oldest item first."""
    moment, item_id = "-infinity", ""
    while page := await takeover.ids_after(db, moment, item_id, _IDS_AT_ONCE):
        yield [item_id for _, item_id in page]
        moment, item_id = page[-1]
