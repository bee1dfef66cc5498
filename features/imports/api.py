"""Imports as others see them: what the newest import of each source found, records of the old services, and
their words and formats. `ITEMS` is the table of items as imports know it.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from core.database.client import Database
from core.jobs import JobContext
from features.imports.csv.writer import csv_lines
from features.imports.lowdb.item import LegacyItem
from features.imports.lowdb.layout import Layout, newest_layout
from features.imports.lowdb.text import lead_of, margin_of, written
from features.imports.pipeline.identifiers import SeenIds
from features.imports.queries import journal
from features.imports.queries.digests import digest_of
from features.imports.queries.rejects import rejects_after
from features.imports.queries.tables import ITEMS
from features.imports.registry.exported import line
from features.imports.registry.tables import AUDIT, FILES, KINDS, LEGACY, TABLES
from features.imports.registry.translate import OldRow, old_row
from features.imports.schemas import Entry, RegistryArguments, Reject, Store, Table, Told

__all__ = [
    "AUDIT",
    "FILES",
    "ITEMS",
    "LEGACY",
    "TABLES",
    "Entry",
    "Layout",
    "LegacyItem",
    "OldRow",
    "Origin",
    "Reject",
    "SeenIds",
    "Store",
    "Table",
    "Told",
    "csv_lines",
    "digest_of",
    "imported_ids",
    "lead_of",
    "line",
    "margin_of",
    "newest_layout",
    "old_row",
    "origins",
    "records",
    "rejects_of",
    "written",
]

OLDER_VERSION: Final = "is an older version of "
"""Beginning of the reason why a superseded version is among the rejects."""


class Origin(NamedTuple):
    """Where a table of the registry came from last; without a job it never came."""

    store: Store
    columns: list[str]
    job_id: str | None


async def origins(context: JobContext, tx: Database) -> dict[Table, Origin]:
    """Origin of each table: its newest finished import from the store that the registry came from last."""
    found: dict[Table, Origin] = {}
    store: Store | None = None
    for job_id in await journal.finished_runs(tx, *KINDS):
        job = await context.find(job_id)
        if job is None:
            continue
        arguments = RegistryArguments.model_validate(job.arguments)
        store = store or arguments.store
        for table, columns in arguments.columns.items():
            if arguments.store == store:
                found.setdefault(table, Origin(store, columns, job_id))
    here = store or "postgres"
    return {table: found.get(table) or Origin(here, LEGACY[table].names_in(here), None) for table in TABLES}


async def imported_ids(db: Database, job_id: str, table: Table) -> AsyncIterator[list[str]]:
    """Batches of the ids that the import accepted, in the source's order."""
    async for page in journal.pages(db, job_id, LEGACY[table].rows.declared.entity):
        yield [entry[0] for entry in page.entries if entry[0] is not None]


async def rejects_of(db: Database, job_id: str, table: Table) -> AsyncIterator[list[Reject]]:
    """Batches of the table's rows that the import did not take, superseded versions too."""
    position = -1
    while batch := await rejects_after(db, job_id, position):
        yield [each for each in batch if each.path.startswith(f"{table}[")]
        position = batch[-1].position


async def records(db: Database, ids: Sequence[str]) -> dict[str, LegacyItem]:
    """Items in the form of the old service, by id; those that do not exist are left out."""
    return {item.id: item for item in map(LegacyItem.of, await ITEMS.parts(db, ids))}
