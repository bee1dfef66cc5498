"""Preflight phase: reads and validates the whole capture before anything is written."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from core.database.client import Database
from core.jobs import JobContext
from features.imports.errors import RowsExist, TooManyRejects
from features.imports.lowdb.spool import REJECTS, Line, batches
from features.imports.phases.changes import Recalled, earlier_runs, foreseen, recall_all
from features.imports.phases.rejects import store
from features.imports.registry import captured
from features.imports.registry.contents import ContentFolder
from features.imports.registry.judge import Rejects, TableJudge
from features.imports.registry.schemas import (
    AUDIT,
    FILES,
    IDEAS,
    KINDS,
    SYSTEMS,
    TABLES,
    Arguments,
    Findings,
    Sample,
    Table,
    TableFindings,
)
from features.imports.registry.tables import TARGETS, asked, takeover_of
from features.imports.registry.translate import Candidate
from features.imports.schemas import Changes
from features.imports.settings import ImportSettings
from features.systems import api as systems

_LINKS: Final[Mapping[str, Table]] = {"system_id": SYSTEMS, "idea_id": IDEAS}
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def examine(
    context: JobContext, arguments: Arguments, folder: Path, *, first: bool
) -> tuple[Findings, list[Sample]]:
    """Validate every row; unless it is a dry run the spools in `folder` are complete afterwards.

    Raises TooManyRejects, or RowsExist for `on_conflict=fail`. `first` is false when rows of this very job
    may be stored already.
    """
    began_at = time.perf_counter()
    token = context.job.fencing_token
    rejects = Rejects(None if arguments.dry_run else folder, token)
    runs = await earlier_runs(context.db, "old registry", *KINDS.values()) if arguments.since_last else []
    contents = await asyncio.to_thread(content_folder, arguments.files)
    found: dict[Table, TableFindings] = {}
    accepted: dict[Table, set[str]] = {}
    await context.progress(phase="preflight", done=0, rejected=0)
    try:
        for table in TABLES:
            if table not in arguments.captured:
                continue
            entity = TARGETS[table].entity
            before = await recall_all(context.db, runs, entity) if runs else None
            judge = TableJudge(
                folder,
                table,
                takeover_of(table, arguments.columns[table]),
                rejects,
                before=sum(each.rows for each in found.values()),
                token=token,
                spooled=not arguments.dry_run,
                previous=before.records if before is not None else None,
            )
            try:
                found[table] = await _judge(
                    context, arguments, judge, rejects, contents, accepted, before, first
                )
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
    """Digest of the whole source: SHA-256 of its tables' digests in their order."""
    parts = "".join(arguments.captured.get(table, "-") for table in TABLES)
    return hashlib.sha256(parts.encode()).hexdigest()


async def _judge(
    context: JobContext,
    arguments: Arguments,
    judge: TableJudge,
    rejects: Rejects,
    contents: ContentFolder | None,
    accepted: Mapping[Table, set[str]],
    before: Recalled | None,
    first: bool,
) -> TableFindings:
    existing = 0
    conflicts: list[str] = []
    target, base = TARGETS[judge.table], judge.before
    changes = Changes(previous=before.runs[0]) if before is not None else None
    ask = first and (arguments.dry_run or arguments.on_conflict == "fail")
    async for candidates, lines in judged(context.db, judge, contents, accepted):
        if ask:
            stored = await target.takeover.existing(context.db, [each.id for each in candidates])
            existing += len(stored)
            conflicts = (conflicts + stored)[:_NAMED_IDS]
            if changes is not None and lines:
                takeover = takeover_of(judge.table, arguments.columns[judge.table])
                verdicts = await takeover.verdicts(context.db, asked(takeover, lines, since_last=True))
                changes = foreseen(changes, verdicts)
        await context.progress(done=base + judge.judged, total=base + judge.rows, rejected=rejects.faulty)
        await context.raise_if_stopping()
        if _too_many(arguments, rejects):
            break
    if arguments.on_conflict == "fail" and existing and judge.table != AUDIT:
        raise RowsExist(
            f"{existing} rows of {judge.table} exist already, for example {', '.join(conflicts)}; "
            "nothing was imported"
        )
    if before is not None and changes is not None and target.reversal is not None:
        async for some in before.left(context.db, target.takeover.existing):
            await asyncio.to_thread(judge.remember, [(row_id, digest) for row_id, digest, _ in some])
            changes = changes.with_vanished([row_id for row_id, _, vanished in some if vanished])
            await context.raise_if_stopping()
    return await asyncio.to_thread(judge.findings, existing, changes)


async def judged(
    db: Database,
    judge: TableJudge,
    contents: ContentFolder | None,
    accepted: Mapping[Table, set[str]],
) -> AsyncIterator[tuple[list[Candidate], list[Line]]]:
    """Batches of a table's valid rows, as candidates and spool lines; empty where no row of some is valid.
    `accepted`: ids of the tables before.
    """
    while await asyncio.to_thread(judge.index_some):
        yield [], []
    while (some := await asyncio.to_thread(judge.some)) is not None:
        candidates = some
        if judge.table == FILES:
            candidates = await asyncio.to_thread(
                lambda found: [each for each in found if judge.add_content(each, contents)], some
            )
        said = await asyncio.to_thread(judge.said, candidates)
        await _settle(db, judge, candidates, accepted)
        known = judge.known(candidates)
        here = await TARGETS[judge.table].takeover.existing(db, known) if known else []
        gone = frozenset(known).difference(here)
        yield candidates, await asyncio.to_thread(judge.accept, candidates, said, gone)


async def _settle(
    db: Database,
    judge: TableJudge,
    candidates: Sequence[Candidate],
    accepted: Mapping[Table, set[str]],
) -> None:
    """Resolve what needs the database and the tables before: rename systems whose name is taken, cut links to
    rows that do not exist.
    """
    if judge.table == SYSTEMS:
        await _name_apart(db, judge, candidates)
    for column, target in _LINKS.items():
        linked = {str(value) for each in candidates if (value := each.row.get(column)) is not None}
        unsure = sorted(linked - accepted.get(target, set()))
        known = set(await TARGETS[target].takeover.existing(db, unsure)) if unsure else set[str]()
        for each in candidates:
            if each.row.get(column) in linked.difference(accepted.get(target, ()), known):
                each.unlink(column)


async def _name_apart(db: Database, judge: TableJudge, candidates: Sequence[Candidate]) -> None:
    unsure = {str(each.row["name"]): each for each in candidates}
    while taken := await systems.names_taken(db, {name: each.id for name, each in unsure.items()}):
        renamed = [unsure[name] for name in taken]
        for each in renamed:
            judge.rename(each)
        unsure = {str(each.row["name"]): each for each in renamed}


def content_folder(files: Path | None) -> ContentFolder | None:
    return None if files is None else ContentFolder(files)


def _too_many(arguments: Arguments, rejects: Rejects) -> bool:
    return arguments.max_rejects is not None and rejects.faulty > arguments.max_rejects


async def _give_up(context: JobContext, arguments: Arguments, folder: Path, rejects: Rejects) -> None:
    """Store the rejects, then raise TooManyRejects: they say what has to be mended."""
    if not arguments.dry_run:
        for batch in batches(folder / REJECTS, 0, rows=context.settings.of(ImportSettings).import_batch_rows):
            await store(context.db, context.job.id, batch)
    first = rejects.samples[0]
    raise TooManyRejects(
        f"More than {arguments.max_rejects} rows cannot be imported, so nothing was; "
        f"the first is {first.path}: {first.reason}"
    )
