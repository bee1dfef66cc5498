"""What exports use of imports: the file that was imported last, and how the old server wrote."""

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
