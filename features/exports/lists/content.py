"""Lists as CSV (RFC 4180): a header line, then a line for each row, with the fields of the API's answers.

Lists and objects are JSON in their cell; a value that is not there is an empty one. A text that a
spreadsheet would run as a formula, which anybody may have written, gets an apostrophe before it.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel

from core.database.client import Database
from core.http.answers.long_lists import Listing, ListQuery
from features.audit import api as audit
from features.exports.schemas import FileResult, ListName
from features.files import api as files
from features.ideas import api as ideas
from features.items import api as items
from features.systems import api as systems

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""First characters of what spreadsheets run."""

Rows = AsyncIterator[list[dict[str, Any]]]


async def list_lines(tx: Database, name: ListName, result: FileResult) -> AsyncIterator[str]:
    """The list's lines in pieces; `tx` must see one snapshot."""
    model, read = _LISTS[name]
    columns = [field.alias or own for own, field in model.model_fields.items()]
    yield _lines([columns])
    async for rows in read(tx):
        result.records += len(rows)
        yield _lines([_cell(row.get(column)) for column in columns] for row in rows)


def _lines(rows: Iterable[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{value}" if value.startswith(_FORMULA) else value


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
