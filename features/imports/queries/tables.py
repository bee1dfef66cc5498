"""Tables that imports write, as their slices declare them."""

from typing import Final

from features.audit import api as audit
from features.files import api as files
from features.ideas import api as ideas
from features.imports.queries.bulk import BulkTable
from features.items import api as items
from features.systems import api as systems

ITEMS: Final = BulkTable(items.TAKEOVER)
SYSTEMS: Final = BulkTable(systems.TAKEOVER)
IDEAS: Final = BulkTable(ideas.TAKEOVER)
FILES: Final = BulkTable(files.TAKEOVER)
ENTRIES: Final = BulkTable(audit.TAKEOVER)

REVERSIBLE: Final = tuple(table.reversal for table in (SYSTEMS, IDEAS, FILES, ITEMS) if table.reversal)
"""Tables in the order in which their rows are locked, each after those it refers to. Undone in reverse."""
BY_NAME: Final = {table.declared.name: table for table in (SYSTEMS, IDEAS, FILES, ENTRIES, ITEMS)}
