"""Queries of indexed documents by the typed client. Functions take `db` first and open no transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from prisma.bases import BaseSearchDocument

from core.database.client import Database
from features.files.api import Audience
from features.search.schemas import DocumentType, IndexedDocument, Source


class ContentHash(BaseSearchDocument):
    """Id and content hash of a document."""

    id: str
    content_hash: str


async def find_document(db: Database, document_id: str, audience: Audience) -> IndexedDocument | None:
    row = await db.searchdocument.find_unique(where={"id": document_id})
    if row is None or not (audience.name is None or row.owner in {None, audience.name}):
        return None
    return IndexedDocument(
        id=row.id,
        title=row.title,
        type=cast(DocumentType, row.type),
        source=cast(Source, row.source),
        link=row.link,
        body=row.body,
        indexed_at=row.indexed_at,
    )


async def remove_others(db: Database, source: Source, ids: Sequence[str], before: datetime) -> int:
    """Delete documents that the source no longer has, except those indexed since `before`: another job has
    written them, so they are newer than the list of ids.
    """
    return await db.searchdocument.delete_many(
        where={"source": source, "indexed_at": {"lt": before}, "id": {"not_in": list(ids)}}
    )


async def remove(db: Database, document_id: str) -> int:
    return await db.searchdocument.delete_many(where={"id": document_id})


async def different(db: Database, hashes: Sequence[tuple[str, str]]) -> frozenset[str]:
    """Ids, of the given (id, content hash), that are not indexed with that content."""
    rows = await ContentHash.prisma(db).find_many(where={"id": {"in": [each for each, _ in hashes]}})
    indexed = {row.id: row.content_hash for row in rows}
    return frozenset(each for each, content_hash in hashes if indexed.get(each) != content_hash)
