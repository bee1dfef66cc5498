"""Imports as exports see them: the layout of the newest imported file, and the old server's JSON format."""

from features.imports.lowdb.identifiers import SeenIds
from features.imports.lowdb.layout import Layout, newest_layout
from features.imports.lowdb.text import lead_of, margin_of, written
from features.imports.schemas import Entry

__all__ = [
    "Entry",
    "Layout",
    "SeenIds",
    "lead_of",
    "margin_of",
    "newest_layout",
    "written",
]
