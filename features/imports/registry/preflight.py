"""Preflight: reads and judges everything that was captured before anything is written."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from core.jobs import JobContext
from features.imports.errors import RowsExist, TooManyRejects
from features.imports.lowdb.spool import REJECTS, batches
from features.imports.phases.rejects import store
from features.imports.registry import captured
from features.imports.registry.contents import ContentFolder
from features.imports.registry.judge import Rejects, TableJudge
from features.imports.registry.schemas import (
    AUDIT,
    FILES,
    IDEAS,
    SYSTEMS,
    TABLES,
    Arguments,
    Findings,
    Sample,
    Table,
    TableFindings,
)
from features.imports.registry.tables import TARGETS, takeover_of
from features.imports.registry.translate import Candidate
from features.systems import api as systems

_LINKS: Final[Mapping[str, Table]] = {"system_id": SYSTEMS, "idea_id": IDEAS}
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def examine(
    context: JobContext, arguments: Arguments, folder: Path, *, first: bool
) -> tuple[Findings, list[Sample]]:
    """Judge every row; unless it is a dry run the spools in `folder` are complete afterwards.

    Raises TooManyRejects, or RowsExist for `on_conflict=fail`. `first` is false when rows of this very job
    may be stored already.
    """
    began_at = time.perf_counter()
    token = context.job.fencing_token
    rejects = Rejects(None if arguments.dry_run else folder, token)
    contents = await asyncio.to_thread(_contents, arguments)
    found: dict[Table, TableFindings] = {}
    accepted: dict[Table, set[str]] = {}
    await context.progress(phase="preflight", done=0, rejected=0)
    try:
        for table in TABLES:
            if table not in arguments.captured:
                continue
            judge = TableJudge(
                folder,
                table,
                takeover_of(table, arguments.columns[table]),
                rejects,
                before=sum(each.rows for each in found.values()),
                token=token,
                spooled=not arguments.dry_run,
            )
            try:
                found[table] = await _judge(context, arguments, judge, rejects, contents, accepted, first)
            finally:
                await asyncio.to_thread(judge.close)
            accepted[table] = judge.accepted_ids
            if _too_many(arguments, rejects):
                break
        rejects_sha256 = await asyncio.to_thread(rejects.finish)
    finally:
        await asyncio.to_thread(rejects.close)
        if contents is not None:
            contents.close()
    if _too_many(arguments, rejects):
        await _give_up(context, arguments, folder, rejects)
    findings = Findings(
        tables=found,
        sha256=sha256_of_all(arguments),
        bytes=sum(captured.path_of(folder, table).stat().st_size for table in found),
        seconds=time.perf_counter() - began_at,
        rejects_sha256=rejects_sha256,
    )
    log.info("import.preflight_done", records=findings.rows, rejected=findings.rejected)
    return findings, rejects.samples


def sha256_of_all(arguments: Arguments) -> str:
    """One digest for the whole source: of its tables' digests in their order."""
    parts = "".join(arguments.captured.get(table, "-") for table in TABLES)
    return hashlib.sha256(parts.encode()).hexdigest()


async def _judge(
    context: JobContext,
    arguments: Arguments,
    judge: TableJudge,
    rejects: Rejects,
    contents: ContentFolder | None,
    accepted: Mapping[Table, set[str]],
    first: bool,
) -> TableFindings:
    existing = 0
    conflicts: list[str] = []
    ask = first and (arguments.dry_run or arguments.on_conflict == "fail")
    while await asyncio.to_thread(judge.index_some):
        await context.raise_if_stopping()
    base = judge.before
    while (candidates := await asyncio.to_thread(judge.some)) is not None:
        candidates = await _settled(context, judge, candidates, accepted)
        if judge.table == FILES:
            candidates = await asyncio.to_thread(
                lambda some: [each for each in some if judge.add_content(each, contents)], candidates
            )
        if ask:
            stored = await TARGETS[judge.table].takeover.existing(
                context.db, [each.id for each in candidates]
            )
            existing += len(stored)
            conflicts = (conflicts + stored)[:_NAMED_IDS]
        await asyncio.to_thread(judge.accept, candidates)
        await context.progress(done=base + judge.judged, total=base + judge.rows, rejected=rejects.faulty)
        await context.raise_if_stopping()
        if _too_many(arguments, rejects):
            break
    if arguments.on_conflict == "fail" and existing and judge.table != AUDIT:
        raise RowsExist(
            f"{existing} rows of {judge.table} exist already, for example {', '.join(conflicts)}; "
            "nothing was imported"
        )
    return await asyncio.to_thread(judge.findings, existing)


async def _settled(
    context: JobContext,
    judge: TableJudge,
    candidates: Sequence[Candidate],
    accepted: Mapping[Table, set[str]],
) -> list[Candidate]:
    """What only the database and the tables before can tell: taken names, links that lead nowhere."""
    if judge.table == SYSTEMS:
        await _name_apart(context, judge, candidates)
    for column, target in _LINKS.items():
        linked = {str(value) for each in candidates if (value := each.row.get(column)) is not None}
        unsure = sorted(linked - accepted.get(target, set()))
        known = set(await TARGETS[target].takeover.existing(context.db, unsure)) if unsure else set[str]()
        for each in candidates:
            if each.row.get(column) in linked.difference(accepted.get(target, ()), known):
                each.unlink(column)
    return list(candidates)


async def _name_apart(context: JobContext, judge: TableJudge, candidates: Sequence[Candidate]) -> None:
    unsure = {str(each.row["name"]): each for each in candidates}
    while taken := await systems.names_taken(context.db, {name: each.id for name, each in unsure.items()}):
        renamed = [unsure[name] for name in taken]
        for each in renamed:
            judge.rename(each)
        unsure = {str(each.row["name"]): each for each in renamed}


def _contents(arguments: Arguments) -> ContentFolder | None:
    return None if arguments.files is None else ContentFolder(arguments.files)


def _too_many(arguments: Arguments, rejects: Rejects) -> bool:
    return arguments.max_rejects is not None and rejects.faulty > arguments.max_rejects


async def _give_up(context: JobContext, arguments: Arguments, folder: Path, rejects: Rejects) -> None:
    """The rejects are kept all the same: they say what has to be mended."""
    if not arguments.dry_run:
        for batch in batches(folder / REJECTS, 0, rows=context.settings.import_batch_rows):
            await store(context.db, context.job.id, batch)
    first = rejects.samples[0]
    raise TooManyRejects(
        f"More than {arguments.max_rejects} rows cannot be imported, so nothing was; "
        f"the first is {first.path}: {first.reason}"
    )
