"""Comparison of a source with the tables here. It reports every difference and writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, Literal

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

Tell = Callable[[Difference], None]


async def _unwatched(records: int) -> None:
    return


async def compare(
    db: Database, source: Source, tell: Tell, watch: Callable[[int], Awaitable[None]] = _unwatched
) -> Compared:
    """Compare a source with the tables in one snapshot; calls `tell` with each difference as it is found, and
    `watch` with the number of records so far.

    Raises SourceUnavailable or SourceMalformed, the latter after the differences of the part before.
    """

    async def work(tx: Database) -> Compared:
        arguments = source.arguments
        absent = arguments.absent if isinstance(arguments, RegistryArguments) else []
        compared = Compared(filename=arguments.filename, absent=absent)

        def told(differences: Sequence[Difference]) -> None:
            for each in differences:
                compared.add(each)
                tell(each)

        try:
            for table in source.tables:
                await _compare(tx, source, table, compared, told, watch)
        finally:
            source.close()
        return compared

    return await unit_of_work(db, work, timeout=_TIMEOUT, isolation="RepeatableRead")


async def _compare(
    tx: Database,
    source: Source,
    table: str,
    compared: Compared,
    told: Callable[[Sequence[Difference]], None],
    watch: Callable[[int], Awaitable[None]],
) -> None:
    rows, rejects, seen = source.tables[table], Rejects(None, samples=None), SeenIds()
    validator = await asyncio.to_thread(source.validator, table, Sink(rejects, collects=True), 0)
    async for found in validator.found(tx):
        told([Difference(kind="unusable", id=it.path, reason=it.reason) for it in rejects.samples])
        rejects.samples.clear()
        seen.add_all(found.ids, 0)
        told(await _differences(tx, source, table, found.lines))
        await watch(compared.records + validator.records)
    compared.records += validator.records - validator.superseded
    async for ids in rows.every_id(tx):
        compared.stored += len(ids)
        extra = [source.label(table, row_id) for row_id in ids if row_id not in seen]
        told([Difference(kind="extra", id=label) for label in extra])


async def _differences(tx: Database, source: Source, table: str, lines: Sequence[Line]) -> list[Difference]:
    if not lines:
        return []
    rows = source.tables[table]
    found = {each.id: each for each in await rows.compare(tx, joined(line.compared(rows) for line in lines))}
    stored = await rows.rows(tx, [each.id for each in found.values() if not each.missing])
    differences: list[Difference] = []

    def add(kind: Literal["missing", "different"], row_id: str, *fields: DifferingField) -> None:
        differences.append(Difference(kind=kind, id=source.label(table, row_id), fields=list(fields)))

    for line in lines:
        if (row_id := line.key) not in found:
            continue
        if row_id not in stored:
            add("missing", row_id)
            continue
        there, here = rows.row(line.row), stored[row_id]
        names = rows.differing(there, here)
        add(
            "different",
            row_id,
            *(DifferingField(name=source.field(each), source=there[each], here=here[each]) for each in names),
        )
    alike = [line.key for line in lines if line.key not in found]
    for row_id, checksum in (await source.damaged(tx, table, alike)).items():
        add("different", row_id, DifferingField(name="bytes", source=checksum, here=_DAMAGED))
    return differences
