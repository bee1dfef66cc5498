"""What the command line uses of imports: enqueue a source, then run the job it gets; compare. And what
exports use: the file that was imported last, and how the old server wrote.
"""

from features.imports.lowdb.comparison import Compared, Difference, compare_file
from features.imports.lowdb.identifiers import SeenIds
from features.imports.lowdb.layout import Layout, Leftover, newest_layout
from features.imports.lowdb.text import lead_of, margin_of, written
from features.imports.registry.accept import accept_registry
from features.imports.registry.comparison import compare_registry
from features.imports.registry.live import guessed_source
from features.imports.registry.schemas import Options as RegistryOptions
from features.imports.registry.schemas import Source as RegistrySource
from features.imports.registry.schemas import Table as RegistryTable
from features.imports.schemas import KIND, UNDO_KIND, Entry, Options, Told
from features.imports.service import accept_file, sweep
from features.imports.undo.accept import accept_undo

__all__ = [
    "KIND",
    "UNDO_KIND",
    "Compared",
    "Difference",
    "Entry",
    "Layout",
    "Leftover",
    "Options",
    "RegistryOptions",
    "RegistrySource",
    "RegistryTable",
    "SeenIds",
    "Told",
    "accept_file",
    "accept_registry",
    "accept_undo",
    "compare_file",
    "compare_registry",
    "guessed_source",
    "lead_of",
    "margin_of",
    "newest_layout",
    "sweep",
    "written",
]
