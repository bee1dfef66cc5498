"""Comparison of an old registry with the tables here. It reports every difference and changes nothing."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import Row
from core.database.transaction import unit_of_work
from core.settings import Settings
from features.files import api as files
from features.imports.lowdb.comparison import Compared, Difference
from features.imports.lowdb.identifiers import SeenIds
from features.imports.lowdb.spool import Line
from features.imports.registry.accept import Tell, capture
from features.imports.registry.judge import Rejects, TableJudge
from features.imports.registry.preflight import content_folder, judged
from features.imports.registry.schemas import (
    FILES,
    TABLES,
    Arguments,
    Options,
    RejectedField,
    Table,
)
from features.imports.registry.tables import TARGETS, Takeover, takeover_of
from features.imports.storage.folders import Folders

_TIMEOUT: Final = timedelta(hours=12)

TellDifference = Callable[[Difference], None]


class _Unusable(Rejects):
    """Unusable rows found so far, kept until they are reported."""

    def __init__(self) -> None:
        super().__init__(None, 0)
        self.found: list[Difference] = []

    def keep(
        self,
        table: Table,
        row: int,
        position: int,
        record: object,
        reason: str,
        errors: list[RejectedField],
    ) -> None:
        if errors:  # none: an older version of another row
            self.found.append(Difference("unusable", f"{table}[{row}]", [("reason", reason, "")]))


async def compare_registry(
    db: Database,
    settings: Settings,
    source: str,
    options: Options,
    tell: TellDifference,
    tell_captured: Tell = lambda table, rows: None,
) -> tuple[Compared, list[Table]]:
    """Compare the source with the tables in one snapshot; calls `tell` with each difference as it is found.
    Also returns the tables that the source lacks, which are not compared. Raises as `capture` does.
    """
    async with Folders(settings.data_dir).incoming() as folder:
        arguments = await capture(folder, source, options, tell_captured)

        async def work(tx: Database) -> Compared:
            return await _compare(tx, settings, arguments, folder, tell)

        compared = await unit_of_work(db, work, timeout=_TIMEOUT, isolation="RepeatableRead")
        return compared, arguments.absent


async def _compare(
    tx: Database, settings: Settings, arguments: Arguments, folder: Path, tell: TellDifference
) -> Compared:
    compared, unusable = Compared(), _Unusable()

    def told(differences: Sequence[Difference]) -> None:
        compared.differences += len(differences)
        for each in differences:
            tell(each)

    accepted: dict[Table, set[str]] = {}
    contents = await asyncio.to_thread(content_folder, arguments.files)
    try:
        for table in [each for each in TABLES if each in arguments.captured]:
            takeover, seen = takeover_of(table, arguments.columns[table]), SeenIds()
            judge = TableJudge(folder, table, takeover, unusable, before=0, token=0, spooled=False)
            async for _, lines in judged(tx, judge, contents, accepted):
                told(unusable.found)
                unusable.found.clear()
                rows = {orjson.loads(line.id): json.loads(line.row) for line in lines}
                seen.add_all(list(rows), 0)
                told(await _differences(tx, settings, table, takeover, lines, rows))
            accepted[table] = judge.accepted_ids
            compared.records += judge.rows - judge.superseded
            async for ids in takeover.every_id(tx):
                compared.stored += len(ids)
                told([Difference("extra", _label(table, each)) for each in ids if each not in seen])
    finally:
        if contents is not None:
            contents.close()
    return compared


async def _differences(
    tx: Database,
    settings: Settings,
    table: Table,
    takeover: Takeover,
    lines: Sequence[Line],
    rows: Mapping[str, Row],
) -> list[Difference]:
    proofs = [(line.rest.decode(), rows[orjson.loads(line.id)]) for line in lines]
    found = {each.id: each for each in await takeover.compare(tx, proofs)}
    stored = await takeover.rows(tx, [each.id for each in found.values() if not each.missing])
    differences = [
        Difference("different", _label(table, row_id), _fields(takeover, rows[row_id], stored[row_id]))
        if row_id in stored
        else Difference("missing", _label(table, row_id))
        for row_id in found
    ]
    if table == FILES:
        for file_id, content in (
            await files.contents_of(tx, [each for each in rows if each not in found])
        ).items():
            if not await files.holds(settings, content):
                fields = [("bytes", json.dumps(content.checksum), "missing or damaged")]
                differences.append(Difference("different", _label(table, file_id), fields))
    return differences


def _fields(takeover: Takeover, row: Row, stored: Row) -> list[tuple[str, str, str]]:
    return [
        ("other fields" if name == "legacy" else name, _shown(row[name]), _shown(stored[name]))
        for name in takeover.differing(row, stored)
    ]


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _label(table: Table, row_id: str) -> str:
    return f"{TARGETS[table].entity} {row_id}"
