"""SQL of indexed documents that Prisma cannot express: full text and similarity, whole batches of the index,
the database's own clock.

`handover_query` parses the typed words, `handover_words` and the column `words` are those of a document (see
the migration that defines them).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from core.database.client import Database
from features.files.api import Audience
from features.search.schemas import Document, Match, Matches, SearchQuery

# A word of the title weighs as much as two and a half of the body; long documents are not better for being
# long, and the result lies between 0 and 1.
_SCORE: Final = "ts_rank_cd('{0.1, 0.2, 0.4, 1.0}', words, handover_query($1), 1 | 32)"

_ALLOWED: Final = "({0}::text IS NULL OR owner IS NULL OR owner = {0})"
"""Condition for documents that the audience may find; the placeholder is its name."""

_FIELDS: Final = ("id", "source", "type", "title", "body", "link")

_SEARCH: Final = f"""
SELECT {", ".join(_FIELDS)}, {_SCORE} AS score, (count(*) OVER ())::int AS total
FROM search_documents
WHERE words @@ handover_query($1) AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR source = $3)
    AND {_ALLOWED.format("$5")}
ORDER BY score DESC, id LIMIT $4::int
"""

# One of the query's words is enough here.
_MATCHING: Final = """
SELECT word FROM unnest($2::text[]) AS word
WHERE handover_words(word, NULL) @@ replace(handover_query($1)::text, '&', '|')::tsquery
"""

_TITLES: Final = f"""
SELECT title FROM search_documents
WHERE words @@ handover_query($1) AND ts_filter(words, '{{a}}') @@ handover_query($1)
    AND {_ALLOWED.format("$3")}
GROUP BY title
ORDER BY starts_with(handover_fold(title), handover_fold($1)) DESC, max({_SCORE}) DESC, title LIMIT $2::int
"""

_PASSAGES: Final = f"""
SELECT left(title || ' ' || body, 20000) AS passage FROM search_documents
WHERE words @@ handover_query($1) AND {_ALLOWED.format("$2")} ORDER BY {_SCORE} DESC, id LIMIT 20
"""

_KNOWS_SIMILARITY: Final = "SELECT to_regproc('word_similarity') IS NOT NULL AS known"

_SIMILAR: Final = f"""
SELECT title FROM search_documents
WHERE word_similarity(handover_fold(left($1, 100)), handover_fold(title)) >= 0.4 AND {_ALLOWED.format("$3")}
GROUP BY title
ORDER BY max(word_similarity(handover_fold(left($1, 100)), handover_fold(title))) DESC, title LIMIT $2::int
"""

# Rows that say the same already are not touched.
_WRITE: Final = """
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


async def find(db: Database, wanted: SearchQuery, audience: Audience) -> Matches:
    rows = await db.query_raw(_SEARCH, wanted.q, wanted.type, wanted.source, wanted.limit, audience.name)
    best = [Match(Document(**{name: row[name] for name in _FIELDS}), row["score"]) for row in rows]
    return Matches(best, rows[0]["total"] if rows else 0)


async def matching_words(db: Database, q: str, words: Sequence[str]) -> frozenset[str]:
    """Words among these that the query matches, by the rules by which it finds documents."""
    rows = await db.query_raw(_MATCHING, q, list(words))
    return frozenset(row["word"] for row in rows)


async def titles(db: Database, q: str, limit: int, audience: Audience) -> list[str]:
    """Titles that contain the words; those that begin with them come first."""
    return [row["title"] for row in await db.query_raw(_TITLES, q, limit, audience.name)]


async def passages(db: Database, q: str, audience: Audience) -> list[str]:
    """Beginnings of the best matching documents."""
    return [row["passage"] for row in await db.query_raw(_PASSAGES, q, audience.name)]


async def similar_titles(db: Database, q: str, limit: int, audience: Audience) -> list[str]:
    """Titles similar to `q`, in spite of typing errors; none if the server has no trigrams."""
    [row] = await db.query_raw(_KNOWS_SIMILARITY)
    if not row["known"]:
        return []
    return [row["title"] for row in await db.query_raw(_SIMILAR, q, limit, audience.name)]


async def write(db: Database, documents: Sequence[tuple[Document, str]]) -> int:
    """Store documents, each with the hash of its content; returns how many were new or different."""
    rows = [{**asdict(document), "content_hash": content_hash} for document, content_hash in documents]
    [row] = await db.query_raw(_WRITE, json.dumps(rows))
    return int(row["changed"])


async def moment(db: Database) -> datetime:
    """Current time of the database, by which documents are indexed."""
    [row] = await db.query_raw("SELECT date_trunc('milliseconds', clock_timestamp()) AS moment")
    return datetime.fromisoformat(str(row["moment"]))
