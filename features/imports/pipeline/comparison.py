"""Comparison of a source with the tables here. It reports every difference and writes nothing."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from core.database.client import Database
from core.database.transaction import unit_of_work
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import Line, joined
from features.imports.pipeline.validator import Rejects, Sink

_TIMEOUT: Final = timedelta(hours=12)

Kind = Literal["missing", "different", "extra", "unusable"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between source and table. missing: only the source has the record. extra: only the table
    has. unusable: the record cannot be taken over; its only field is the reason. Fields are (name, in the
    source, in the table), values as JSON.
    """

    kind: Kind
    id: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Compared:
    records: int = 0
    stored: int = 0
    differences: int = 0


async def compare(db: Database, source: Source, tell: Callable[[Difference], None]) -> Compared:
    """Compare a source with the tables in one snapshot; calls `tell` with each difference as it is found.

    Raises SourceUnavailable or SourceMalformed, the latter after the differences of the part before.
    """

    async def work(tx: Database) -> Compared:
        compared = Compared()
        try:
            for table in source.tables:
                await _compare(tx, source, table, compared, tell)
        finally:
            source.close()
        return compared

    return await unit_of_work(db, work, timeout=_TIMEOUT, isolation="RepeatableRead")


async def _compare(
    tx: Database, source: Source, table: str, compared: Compared, tell: Callable[[Difference], None]
) -> None:
    rows, rejects, seen = source.tables[table], Rejects(None, samples=None), SeenIds()

    def told(differences: Sequence[Difference]) -> None:
        compared.differences += len(differences)
        for each in differences:
            tell(each)

    sink = Sink(rejects, collects=True)
    validator = await asyncio.to_thread(source.validator, table, sink, 0)
    async for found in validator.found(tx):
        told([Difference("unusable", it.path, [("reason", it.reason, "")]) for it in rejects.samples])
        rejects.samples.clear()
        seen.add_all(found.ids, 0)
        told(await _differences(tx, source, table, found.lines))
    compared.records += validator.records - validator.superseded
    async for ids in rows.every_id(tx):
        compared.stored += len(ids)
        told([Difference("extra", source.label(table, row_id)) for row_id in ids if row_id not in seen])


async def _differences(tx: Database, source: Source, table: str, lines: Sequence[Line]) -> list[Difference]:
    if not lines:
        return []
    rows = source.tables[table]
    found = {each.id: each for each in await rows.compare(tx, joined(line.compared(rows) for line in lines))}
    stored = await rows.rows(tx, [each.id for each in found.values() if not each.missing])
    differences: list[Difference] = []
    for line in lines:
        if (row_id := line.key) not in found:
            continue
        if row_id not in stored:
            differences.append(Difference("missing", source.label(table, row_id)))
            continue
        there, here = rows.row(line.row), stored[row_id]
        fields = [
            (source.field(name), _shown(there[name]), _shown(here[name]))
            for name in rows.differing(there, here)
        ]
        differences.append(Difference("different", source.label(table, row_id), fields))
    alike = [line.key for line in lines if line.key not in found]
    for row_id, checksum in (await source.damaged(tx, table, alike)).items():
        fields = [("bytes", _shown(checksum), "missing or damaged")]
        differences.append(Difference("different", source.label(table, row_id), fields))
    return differences


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
