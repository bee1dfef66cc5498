"""Answers from the index: results with highlighted passages, suggestions, one document."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from core.database.client import Database
from core.http.envelope import ListEnvelope, listed
from features.search import queries
from features.search.errors import DocumentNotFound
from features.search.schemas import (
    IndexedDocument,
    Match,
    SearchQuery,
    SearchResult,
    SuggestQuery,
    SuggestResponse,
)
from features.search.text.completion import completions
from features.search.text.snippet import snippet
from features.search.text.words import candidates, fold

_AT_ONCE: Final = 50_000
"""As many characters are looked through without leaving the event loop: a few milliseconds."""

Answer = TypeVar("Answer")


async def search(db: Database, query: SearchQuery) -> ListEnvelope[SearchResult]:
    """Two queries: the documents, and which of their words are to be marked."""
    found = await queries.find(db, query)
    bodies = [match.document.body for match in found.best]
    words = await _aside(bodies, lambda: candidates(query.q, bodies))
    marked = await queries.matching_words(db, query.q, words) if words else frozenset[str]()
    results = await _aside(bodies, lambda: [_result(match, marked) for match in found.best])
    return listed(results, total=found.total)


async def suggest(db: Database, query: SuggestQuery) -> SuggestResponse:
    """Titles that hold what was typed, then completions of its last word; else titles that resemble it."""
    suggestions = await queries.titles(db, query.q, query.limit)
    if len(suggestions) < query.limit:
        passages = await queries.passages(db, query.q)
        suggestions += await _aside(passages, lambda: completions(query.q, passages))
    if not suggestions:
        suggestions = await queries.similar_titles(db, query.q, query.limit)
    return SuggestResponse(data=_distinct(suggestions)[: query.limit])


async def get_document(db: Database, document_id: str) -> IndexedDocument:
    document = await queries.find_document(db, document_id)
    if document is None:
        raise DocumentNotFound(document_id)
    return document


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
    """The first of those that differ only in case and accents."""
    return list({fold(each): each for each in reversed(list(suggestions))}.values())[::-1]


async def _aside(texts: Sequence[str], work: Callable[[], Answer]) -> Answer:
    """Large texts are read in a thread."""
    if sum(map(len, texts)) <= _AT_ONCE:
        return work()
    return await asyncio.to_thread(work)
