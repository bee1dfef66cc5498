"""The only place that asks the database for ideas. Functions take `db` first and open no transaction."""

from features.ideas.queries.bulk import TAKEOVER, load_ideas
from features.ideas.queries.lists import count_ideas, find_ideas
from features.ideas.queries.overview import created_by_day, search_ideas, statistics, titles_of
from features.ideas.queries.rows import (
    Completion,
    create_idea,
    delete_idea,
    find_idea,
    idea_exists,
    lock_idea,
    update_idea,
)

__all__ = [
    "TAKEOVER",
    "Completion",
    "count_ideas",
    "create_idea",
    "created_by_day",
    "delete_idea",
    "find_idea",
    "find_ideas",
    "idea_exists",
    "load_ideas",
    "lock_idea",
    "search_ideas",
    "statistics",
    "titles_of",
    "update_idea",
]
