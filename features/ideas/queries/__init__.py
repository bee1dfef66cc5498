"""The only place that asks the database for ideas. Functions take `db` first and open no transaction."""

from features.ideas.queries.bulk import REVERSAL, TAKEOVER, load_ideas
from features.ideas.queries.overview import created_by_day, search_ideas, statistics, titles_of
from features.ideas.queries.reads import board, find_idea, list_ideas
from features.ideas.queries.rows import idea_exists
from features.ideas.queries.writes import ENTITY, create_idea, delete_idea, update_idea

__all__ = [
    "ENTITY",
    "REVERSAL",
    "TAKEOVER",
    "board",
    "create_idea",
    "created_by_day",
    "delete_idea",
    "find_idea",
    "idea_exists",
    "list_ideas",
    "load_ideas",
    "search_ideas",
    "statistics",
    "titles_of",
    "update_idea",
]
