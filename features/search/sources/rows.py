"""Ideas and items as documents. They are found by the indexes of their tables, which follow each write in its
own transaction, so nothing of them is indexed anew.
"""

from dataclasses import asdict
from typing import Final
from urllib.parse import quote

from core.database.client import Database
from features.ideas import api as ideas
from features.items import api as items
from features.search.schemas import (
    BODY_LENGTH,
    TITLE_LENGTH,
    Document,
    IndexedDocument,
    Match,
    Matches,
    RowKind,
)

_LINKS: Final = {"idea": "/api/v1/ideas/", "item": "/api/items/"}


async def find(db: Database, kind: RowKind, q: str, limit: int) -> Matches:
    if kind == "idea":
        of_ideas = await ideas.search(db, q, limit=limit)
        return Matches([Match(_document(kind, idea), score) for idea, score in of_ideas.rows], of_ideas.total)
    of_items = await items.search(db, q, limit=limit)
    return Matches([Match(_document(kind, item), score) for item, score in of_items.rows], of_items.total)


async def get(db: Database, kind: RowKind, row_id: str) -> IndexedDocument | None:
    found = await (ideas.by_id(db, [row_id]) if kind == "idea" else items.by_id(db, [row_id]))
    for row in found:
        changed = row.updated_at or row.created_at
        return IndexedDocument(**asdict(_document(kind, row)), indexed_at=changed)
    return None


def _document(kind: RowKind, row: ideas.Idea | items.Item) -> Document:
    return Document(
        id=f"{kind}:{row.id}",
        source=kind,
        type=kind,
        title=" ".join(row.title.split())[:TITLE_LENGTH],
        body=row.description[:BODY_LENGTH],
        link=_LINKS[kind] + quote(row.id, safe=""),
    )
