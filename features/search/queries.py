"""The only place that asks the database for indexed documents. Functions take `db` first and open no
transaction.

Full text is SQL: `handover_query` reads what was typed, `handover_words` and the column `words` know what a
document says (see the migration that defines them).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, cast

from core.database.client import Database
from core.http.timestamps import to_iso
from features.files.api import Audience
from features.search.schemas import (
    Document,
    DocumentType,
    IndexedDocument,
    Match,
    Matches,
    SearchQuery,
    Source,
)

# A word of the title weighs as much as two and a half of the body; long documents are not better for being
# long, and the result lies between 0 and 1.
_SCORE: Final = "ts_rank_cd('{0.1, 0.2, 0.4, 1.0}', words, handover_query($1), 1 | 32)"

_ALLOWED: Final = "({0}::text IS NULL OR owner IS NULL OR owner = {0})"
"""The placeholder is the name of the audience."""

_FIELDS: Final = ("id", "source", "type", "title", "body", "link")

SEARCH: Final = f"""
SELECT {", ".join(_FIELDS)}, {_SCORE} AS score, (count(*) OVER ())::int AS total
FROM search_documents
WHERE words @@ handover_query($1) AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR source = $3)
    AND {_ALLOWED.format("$5")}
ORDER BY score DESC, id LIMIT $4::int
"""

# One of the words asked for is enough here.
MATCHING: Final = """
SELECT word FROM unnest($2::text[]) AS word
WHERE handover_words(word, NULL) @@ replace(handover_query($1)::text, '&', '|')::tsquery
"""

TITLES: Final = f"""
SELECT title FROM search_documents
WHERE words @@ handover_query($1) AND ts_filter(words, '{{a}}') @@ handover_query($1)
    AND {_ALLOWED.format("$3")}
GROUP BY title
ORDER BY starts_with(handover_fold(title), handover_fold($1)) DESC, max({_SCORE}) DESC, title LIMIT $2::int
"""

PASSAGES: Final = f"""
SELECT left(title || ' ' || body, 20000) AS passage FROM search_documents
WHERE words @@ handover_query($1) AND {_ALLOWED.format("$2")} ORDER BY {_SCORE} DESC, id LIMIT 20
"""

KNOWS_SIMILARITY: Final = "SELECT to_regproc('word_similarity') IS NOT NULL AS known"

SIMILAR: Final = f"""
SELECT title FROM search_documents
WHERE word_similarity(handover_fold(left($1, 100)), handover_fold(title)) >= 0.4 AND {_ALLOWED.format("$3")}
GROUP BY title
ORDER BY max(word_similarity(handover_fold(left($1, 100)), handover_fold(title))) DESC, title LIMIT $2::int
"""

# Rows that say the same already are not touched.
WRITE: Final = """
WITH written AS (
    INSERT INTO search_documents (id, source, type, title, body, link, owner, content_hash, indexed_at)
    SELECT id, source, type, title, body, link, owner, content_hash, clock_timestamp()
    FROM jsonb_to_recordset($1::jsonb) AS given(
        id text, source text, type text, title text, body text, link text, owner text, content_hash text)
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, type = excluded.type, title = excluded.title, body = excluded.body,
        link = excluded.link, owner = excluded.owner, content_hash = excluded.content_hash,
        indexed_at = excluded.indexed_at
    WHERE search_documents.content_hash <> excluded.content_hash
    RETURNING 1)
SELECT count(*)::int AS changed FROM written
"""

# What another job has written in the meantime is newer than the list of what there is.
REMOVE_OTHERS: Final = """
DELETE FROM search_documents
WHERE source = $1 AND indexed_at < $3::timestamptz AND NOT EXISTS (
    SELECT FROM unnest($2::text[]) AS seen(id) WHERE seen.id = search_documents.id)
"""

DIFFERENT: Final = """
SELECT given.id FROM unnest($1::text[], $2::text[]) AS given(id, content_hash)
LEFT JOIN search_documents ON search_documents.id = given.id
WHERE search_documents.content_hash IS DISTINCT FROM given.content_hash
"""


async def find(db: Database, wanted: SearchQuery, audience: Audience) -> Matches:
    rows = await db.query_raw(SEARCH, wanted.q, wanted.type, wanted.source, wanted.limit, audience.name)
    best = [Match(Document(**{name: row[name] for name in _FIELDS}), row["score"]) for row in rows]
    return Matches(best, rows[0]["total"] if rows else 0)


async def matching_words(db: Database, q: str, words: Sequence[str]) -> frozenset[str]:
    """Those of the words that the query finds, by the rules by which it finds documents."""
    rows = await db.query_raw(MATCHING, q, list(words))
    return frozenset(row["word"] for row in rows)


async def titles(db: Database, q: str, limit: int, audience: Audience) -> list[str]:
    """Titles that hold the words; those that begin with them come first."""
    return [row["title"] for row in await db.query_raw(TITLES, q, limit, audience.name)]


async def passages(db: Database, q: str, audience: Audience) -> list[str]:
    """What the best documents say, at its beginning."""
    return [row["passage"] for row in await db.query_raw(PASSAGES, q, audience.name)]


async def similar_titles(db: Database, q: str, limit: int, audience: Audience) -> list[str]:
    """Titles that resemble it, typing errors and all: none when the server has no trigrams."""
    [row] = await db.query_raw(KNOWS_SIMILARITY)
    if not row["known"]:
        return []
    return [row["title"] for row in await db.query_raw(SIMILAR, q, limit, audience.name)]


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


async def write(db: Database, documents: Sequence[tuple[Document, str]]) -> int:
    """Store documents, each with the hash of its content, and tell how many were new or different."""
    rows = [{**asdict(document), "content_hash": content_hash} for document, content_hash in documents]
    [row] = await db.query_raw(WRITE, json.dumps(rows))
    return int(row["changed"])


async def remove_others(db: Database, source: Source, ids: Sequence[str], before: datetime) -> int:
    """Remove what the source does not have any more, but nothing that was indexed since `before`."""
    return await db.execute_raw(REMOVE_OTHERS, source, list(ids), to_iso(before))


async def remove(db: Database, document_id: str) -> int:
    return await db.searchdocument.delete_many(where={"id": document_id})


async def different(db: Database, hashes: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The ids, of the given (id, content hash), that are not indexed with that content."""
    ids, contents = [each for each, _ in hashes], [each for _, each in hashes]
    return frozenset(row["id"] for row in await db.query_raw(DIFFERENT, ids, contents))


async def moment(db: Database) -> datetime:
    """The database's own time, by which documents are indexed."""
    [row] = await db.query_raw("SELECT date_trunc('milliseconds', clock_timestamp()) AS moment")
    return datetime.fromisoformat(str(row["moment"]))
