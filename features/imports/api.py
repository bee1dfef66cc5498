"""Imports as others see them: what the newest import of each source found, records of the old services, and
their words and formats. `ITEMS` is the table of items as imports know it.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, cast

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
from features.imports.schemas import Entry, RegistryArguments, RowReason, Store, Table
from features.imports.storage.work import result_of


class Origin(NamedTuple):
    """Where a table of the registry came from last; without a job it never came. `rows` are the places of its
    own among those of all tables of the source.
    """

    store: Store
    columns: list[str]
    job_id: str | None
    rows: range


class NotTaken(NamedTuple):
    """Row of the source that the import did not take, and its place in the table."""

    place: int
    superseded: bool
    record: str


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
        if arguments.store != store:
            continue
        figures, first = cast(dict[str, Any], result_of(job)["tables"]), 0
        for table in (each for each in TABLES if each in arguments.columns):
            rows = range(first, first := first + figures[table]["records"])
            found.setdefault(table, Origin(store, arguments.columns[table], job_id, rows))
    here = store or "postgres"
    return {
        table: found.get(table) or Origin(here, LEGACY[table].names_in(here), None, range(0))
        for table in TABLES
    }


async def imported_ids(db: Database, job_id: str, table: Table) -> AsyncIterator[list[str]]:
    """Batches of the ids that the import accepted, in the source's order."""
    async for chunk in journal.chunks(db, job_id, LEGACY[table].rows.declared.entity):
        yield [entry[0] for entry in chunk.entries if entry[0] is not None]


async def not_taken(db: Database, origin: Origin) -> AsyncIterator[list[NotTaken]]:
    """Batches of the table's rows that the import did not take, in the source's order."""
    position = origin.rows.start - 1
    while origin.job_id is not None:
        batch = await rejects_after(db, origin.job_id, position, superseded=True)
        found = [each for each in batch if each.position in origin.rows]
        if not found:
            return
        yield [NotTaken(origin.rows.index(each.position), not each.errors, each.record) for each in found]
        position = found[-1].position


async def records(db: Database, ids: Sequence[str]) -> dict[str, LegacyItem]:
    """Items in the form of the old service, by id; those that do not exist are left out."""
    return {item.id: item for item in map(LegacyItem.of, await ITEMS.parts(db, ids))}
