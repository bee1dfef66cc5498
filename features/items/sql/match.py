"""Items by text or tag: full-text match and an index on an expression, which Prisma cannot express. Finds
positions in the list; typed calls read the rows.
"""

from typing import Any, Final

from core.database.client import Database
from core.database.statements import Arguments, KeyOrder, Place, best_statement, page_statement, places_of
from core.http.answers.pagination import Position
from features.items.schemas import ItemFilter

# Longer texts are searched as far as this, in characters: the index holds no more words of one row.
_WORDS: Final = "to_tsvector('simple'::regconfig, handover_fold(left(title || ' ' || description, 100000)))"
_QUERY: Final = "to_tsquery('simple'::regconfig, handover_fold({}))"
# Words in the title count more.
_WEIGHED: Final = (
    "setweight(to_tsvector('simple'::regconfig, handover_fold(left(title, 10000))), 'A') || " + _WORDS
)
_RANKED_AT_MOST: Final = 300
"""Upper bound of the matches that are ranked: the newest."""
_NEWEST: Final = KeyOrder("created_at", "desc", ids_turned=True)


async def find_matching(
    db: Database, wanted: ItemFilter, *, after: Position | None, offset: int, take: int
) -> list[Place]:
    """Newest first, ties by id."""
    statement, arguments = match_statement(wanted, after=after, offset=offset, take=take)
    return places_of(await db.query_raw(statement, *arguments), moments=True)


async def find_best(db: Database, text: str, *, limit: int) -> list[dict[str, Any]]:
    """As of `best_statement`. As for `q`, any word may be cut short."""
    statement, arguments = best_items(text, limit=limit)
    return await db.query_raw(statement, *arguments)


def best_items(text: str, *, limit: int) -> tuple[str, Arguments]:
    words = _prefixes(text[:1000])
    return best_statement(
        "items", _WORDS, words, {}, limit=limit, ranked=_RANKED_AT_MOST, query=_QUERY, weighed=_WEIGHED
    )


async def count_matching(db: Database, wanted: ItemFilter) -> int:
    arguments = Arguments()
    [row] = await db.query_raw(f"SELECT count(*) {_matching(wanted, arguments)}", *arguments)
    return int(row["count"])


def match_statement(
    wanted: ItemFilter, *, after: Position | None, offset: int, take: int
) -> tuple[str, Arguments]:
    arguments = Arguments()
    place = None if after is None else (after.created_at, after.id)
    rows = _matching(wanted, arguments)
    return page_statement(rows, _NEWEST, arguments, after=place, offset=offset, take=take), arguments


def _matching(wanted: ItemFilter, arguments: Arguments) -> str:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name, value in wanted.kinds.items()]
    if wanted.tag is not None:
        found.append(f"handover_tags(tags) @> ARRAY[{arguments.add(wanted.tag)}::text]")
    if wanted.q:
        found.append(f"{_WORDS} @@ {_QUERY.format(arguments.add(_prefixes(wanted.q)))}")
    return f"FROM items WHERE {' AND '.join(found)}"


def _prefixes(q: str) -> str:
    """Text query of quoted prefixes, so that no character of a word is an operator of the query language."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in q.split())
    return " & ".join(f"'{word}':*" for word in words)
