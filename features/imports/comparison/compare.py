"""Comparison of a source with the tables here. It reports every difference and writes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from core.database.client import Database
from core.database.transaction import unit_of_work
from features.imports.comparison.schemas import Compared, Difference, DifferingField
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import Line, joined
from features.imports.pipeline.validator import Rejects, Sink
from features.imports.schemas import RegistryArguments

_TIMEOUT: Final = timedelta(hours=12)
_DAMAGED: Final = "missing or damaged"

Watch = Callable[[int], Awaitable[None]]


async def compare(
    db: Database, source: Source, tell: Callable[[Difference], None], watch: Watch | None = None
) -> Compared:
    """Compare a source with the tables in one snapshot; calls `tell` with each difference as it is found, and
    `watch` with the number of records so far.

    Raises SourceUnavailable or SourceMalformed, the latter after the differences of the part before.
    """

    async def work(tx: Database) -> Compared:
        arguments = source.arguments
        absent = arguments.absent if isinstance(arguments, RegistryArguments) else []
        compared = Compared(filename=arguments.filename, absent=absent)
        try:
            for table in source.tables:
                async for difference in _compare(tx, source, table, compared, watch):
                    compared.add(difference)
                    tell(difference)
        finally:
            source.close()
        return compared

    return await unit_of_work(db, work, timeout=_TIMEOUT, isolation="RepeatableRead")


async def _compare(
    tx: Database, source: Source, table: str, compared: Compared, watch: Watch | None
) -> AsyncIterator[Difference]:
    """Differences of the table; counts its records and rows."""
    rows, rejects, seen = source.tables[table], Rejects(None, samples=None), SeenIds()
    validator = await asyncio.to_thread(source.validator, table, Sink(rejects, collects=True), 0)
    async for found in validator.found(tx):
        for sample in rejects.samples:
            yield Difference(kind="unusable", id=sample.path, reason=sample.reason)
        rejects.samples.clear()
        for row_id in found.ids:
            seen.add(row_id, 0)
        for difference in await _differences(tx, source, table, found.lines) if found.lines else ():
            yield difference
        if watch is not None:
            await watch(compared.records + validator.records)
    compared.records += validator.records
    async for ids in rows.every_id(tx):
        compared.stored += len(ids)
        for row_id in ids:
            if row_id not in seen:
                yield Difference(kind="extra", id=source.label(table, row_id))


async def _differences(tx: Database, source: Source, table: str, lines: Sequence[Line]) -> list[Difference]:
    rows, differences = source.tables[table], list[Difference]()
    found = {each.id: each for each in await rows.compare(tx, joined(line.compared(rows) for line in lines))}
    stored = await rows.rows(tx, [each.id for each in found.values() if not each.missing])
    for line in lines:
        if (difference := found.get(row_id := line.key)) is not None:
            here, there, label = stored.get(row_id, {}), rows.row(line.row), source.label(table, row_id)
            names = rows.differing(there, here) if here else []
            own = difference.version != difference.import_version  # made or changed here
            if names and own and set(names).issubset(rows.declared.incidental):
                continue  # it agrees: the next import would find nothing to do
            fields = [
                DifferingField(name=source.field(each), source=there[each], here=here[each]) for each in names
            ]
            differences.append(Difference(kind="different" if here else "missing", id=label, fields=fields))
    alike = [line.key for line in lines if line.key not in found]
    for row_id, checksum in (await source.damaged(tx, table, alike)).items():
        damaged = DifferingField(name="bytes", source=checksum, here=_DAMAGED)
        differences.append(Difference(kind="different", id=source.label(table, row_id), fields=[damaged]))
    return differences
