"""Service of the search: results with highlighted passages, suggestions, one document; indexing of a file."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.http.answers.envelope import ListEnvelope, listed
from core.settings import Settings
from features.files import api as files
from features.files.api import Audience
from features.search import queries, sql
from features.search.errors import DocumentNotFound
from features.search.schemas import (
    IndexedDocument,
    Match,
    Matches,
    SearchQuery,
    SearchResult,
    SuggestQuery,
    SuggestResponse,
    row_kind,
)
from features.search.sources import rows, uploads
from features.search.text.completion import completions
from features.search.text.snippet import snippet
from features.search.text.words import candidates, fold

_AT_ONCE: Final = 50_000
"""Upper bound of the characters that are searched on the event loop: a few milliseconds."""

Answer = TypeVar("Answer")


async def search(db: Database, query: SearchQuery, audience: Audience) -> ListEnvelope[SearchResult]:
    """Results of a search, with two queries: the documents, and which of their words are to be marked."""
    found = await _find(db, query, audience)
    bodies = [match.document.body for match in found.best]
    words = await _aside(bodies, lambda: candidates(query.q, bodies))
    marked = await sql.matching_words(db, query.q, words) if words else frozenset[str]()
    results = await _aside(bodies, lambda: [_result(match, marked) for match in found.best])
    return listed(results, total=found.total)


async def _find(db: Database, query: SearchQuery, audience: Audience) -> Matches:
    if query.rows is None:
        return await sql.find(db, query, audience)
    if {query.type, query.source} - {query.rows, None}:
        return Matches([], 0)
    return await rows.find(db, query.rows, query.q, query.limit)


async def suggest(db: Database, query: SuggestQuery, audience: Audience) -> SuggestResponse:
    """Titles with the typed words, then completions of the last word; else titles that resemble it."""
    suggestions = await sql.titles(db, query.q, query.limit, audience)
    if len(suggestions) < query.limit:
        passages = await sql.passages(db, query.q, audience)
        suggestions += await _aside(passages, lambda: completions(query.q, passages))
    if not suggestions:
        suggestions = await sql.similar_titles(db, query.q, query.limit, audience)
    return SuggestResponse(data=_distinct(suggestions)[: query.limit])


async def get_document(db: Database, document_id: str, audience: Audience) -> IndexedDocument:
    """Document by id. Raises DocumentNotFound, also if the audience may not find it."""
    kind, _, row_id = document_id.partition(":")
    if (of_rows := row_kind(kind)) is not None:
        document = await rows.get(db, of_rows, row_id)
    else:
        document = await queries.find_document(db, document_id, audience)
    if document is None:
        raise DocumentNotFound(document_id)
    return document


async def index_file(db: Database, settings: Settings, file_id: str) -> bool:
    """Bring the document of one file up to date; True if that changed anything.

    The file is read again under its lock: it may have changed since, and whoever changed it has enqueued a
    job that comes after this one. Until the commit nobody can make it private.
    """
    read = await files.find_text(db, file_id)
    document = None if read is None else await uploads.read(settings, read)
    document_id = uploads.document_id(file_id)

    async def update(tx: Database) -> bool:
        current = await files.lock_text(tx, file_id)
        if current is None:
            return bool(await queries.remove(tx, document_id))
        content_hash = uploads.content_hash(current)
        if document is None or read is None or uploads.content_hash(read) != content_hash:
            return False
        return bool(await sql.write(tx, [(document, content_hash)]))

    return await unit_of_work(db, update)


def _result(match: Match, marked: frozenset[str]) -> SearchResult:
    document = match.document
    return SearchResult(
        id=document.id,
        title=document.title,
        snippet=snippet(document.body, marked),
        type=document.type,
        source=document.source,
        score=match.score,
        link=document.link,
    )


def _distinct(suggestions: Iterable[str]) -> list[str]:
    """Suggestions without repetitions that differ only in case and accents; the first one stays."""
    return list({fold(each): each for each in reversed(list(suggestions))}.values())[::-1]


async def _aside(texts: Sequence[str], work: Callable[[], Answer]) -> Answer:
    """Result of the work, done in a thread if the texts are large."""
    if sum(map(len, texts)) <= _AT_ONCE:
        return work()
    return await asyncio.to_thread(work)
