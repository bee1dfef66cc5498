"""Lists as CSV: a header line, then a line for each row, with the fields of the API's answers."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel

from core.database.client import Database
from core.http.answers.long_lists import Listing, ListQuery
from features.audit import api as audit
from features.exports.schemas import FileResult, ListName
from features.files import api as files
from features.ideas import api as ideas
from features.imports.api import csv_lines
from features.items import api as items
from features.systems import api as systems

Rows = AsyncIterator[list[dict[str, Any]]]


async def list_lines(tx: Database, name: ListName, result: FileResult) -> AsyncIterator[str]:
    """The list's lines in pieces; `tx` must see one snapshot."""
    model, read = _LISTS[name]
    columns = [field.alias or own for own, field in model.model_fields.items()]
    yield csv_lines([columns])
    async for rows in read(tx):
        result.records += len(rows)
        yield csv_lines([row.get(column) for column in columns] for row in rows)


def _of(listing: Listing[Any], query: ListQuery) -> Callable[[Database], Rows]:
    async def read(db: Database) -> Rows:
        async for page in listing.pages(db, query):
            yield orjson.loads(b"[%b]" % page.json)

    return read


async def _files(db: Database) -> Rows:
    async for batch in files.every_file(db):
        yield [each.model_dump(mode="json", by_alias=True) for each in batch]


async def _entries(db: Database) -> Rows:
    async for batch in audit.every_record(db):
        yield [each.model_dump(mode="json", by_alias=True) for each in batch]


_LISTS: Final[Mapping[ListName, tuple[type[BaseModel], Callable[[Database], Rows]]]] = {
    "items": (items.Item, _of(items.LIST, items.ItemQuery())),
    "ideas": (ideas.Idea, _of(ideas.LIST, ideas.IdeaQuery())),
    "systems": (systems.System, _of(systems.LIST, systems.SystemQuery())),
    "files": (files.FileMetadata, _files),
    "audit": (audit.AuditRecord, _entries),
}
