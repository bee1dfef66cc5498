"""Service of imports: accepts uploads, files and undos, shows imports, streams rejects."""

import asyncio
import json
import sys
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import orjson
import structlog
from pydantic import ValidationError

from core.database.client import Author, Database
from core.errors import Conflict
from core.http.answers.envelope import ListEnvelope, listed
from core.http.request.input import Input
from core.http.request.multipart import FORM_OVERHEAD_BYTES
from core.http.request.validation import field_errors
from core.jobs import JobNotFound, Jobs, JobView
from core.settings import Settings
from features.imports.comparison.schemas import VerifyForm
from features.imports.csv.columns import resolved
from features.imports.csv.reader import CsvReader
from features.imports.csv.writer import csv_lines
from features.imports.errors import (
    ColumnsUnusable,
    ImportNotFound,
    ImportNotUndoable,
    UploadInvalid,
    UploadTooLarge,
)
from features.imports.pipeline.source import opened, readable_path
from features.imports.pipeline.spool import sha256_of
from features.imports.queries import journal, rejects
from features.imports.schemas import (
    SAMPLES,
    SOURCES,
    UNDO_KIND,
    VERIFY_KIND,
    Arguments,
    FileArguments,
    FileOptions,
    Import,
    RegistryOptions,
    Reject,
    RejectForm,
    TakenBack,
)
from features.imports.settings import ImportSettings
from features.imports.storage.folders import DIFFERENCES, Folders
from features.imports.storage.upload import plain_name, receive
from features.imports.storage.work import accept
from features.imports.undo.schemas import UndoArguments, UndoChoices
from features.jobs.api import list_page

Options = TypeVar("Options", bound=Input)

_MOST_COLUMNS: Final = 1000
"""Columns of rejects as CSV; those of a record beyond are left out."""

IMPORTS: Final = tuple(SOURCES.values())

_OF_THE_JOB: Final = {"id", "state", "rejected", "actor", "created_at", "finished_at", "error"}
"""Fields of an import that its job has by the same names."""

log = structlog.get_logger(__name__)


async def accept_upload(
    db: Database,
    jobs: Jobs,
    settings: Settings,
    actor: Author,
    headers: Mapping[str, str],
    body: AsyncIterable[bytes],
    form: type[FileOptions | VerifyForm],
) -> JobView:
    """Stream the form to disk and enqueue its import or comparison; what goes wrong leaves no file behind.

    Raises JobConflict while another one has not ended, before the body is read if it is known by then.
    """
    limit = int(settings.of(ImportSettings).import_max_bytes)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit + FORM_OVERHEAD_BYTES:
        raise UploadTooLarge(f"The file is larger than {limit} bytes")
    size = 0

    async def receive_form(folder: Path) -> Arguments:
        nonlocal size
        upload = await receive(headers.get("content-type", ""), body, folder, limit=limit)
        options = valid(form, {name: text for name, text in upload.fields.items() if text != ""})
        size = upload.size
        if options.source in ("questdb", "postgres"):
            # Only here: what reads a running registry is slow to import, and most commands do without it.
            from features.imports.registry.accept import capture_archive

            chosen = RegistryOptions.model_validate(options.model_dump())
            return await capture_archive(folder, upload, chosen, limit)
        arguments = FileArguments(**options.model_dump(), filename=upload.filename, sha256=upload.sha256)
        return await asyncio.to_thread(_with_columns, arguments, upload.path)

    job = await accept(db, jobs, settings, actor, receive_form, verify=form is VerifyForm)
    log.info("import.accepted", job_id=job.id, kind=job.kind, bytes=size)
    return job


async def accept_file(
    db: Database, jobs: Jobs, settings: Settings, actor: Author, path: Path, options: FileOptions
) -> JobView:
    """Enqueue the import of a file that stays where it is and is only read."""
    path = await asyncio.to_thread(readable_file, path)

    async def name(folder: Path) -> FileArguments:
        arguments = FileArguments(**options.model_dump(), filename=plain_name(path.name), path=str(path))
        return await asyncio.to_thread(_with_columns, arguments, path)

    return await accept(db, jobs, settings, actor, name)


async def rejects_of(db: Database, jobs: Jobs, job_id: str, form: RejectForm) -> AsyncIterator[bytes]:
    """Rejects of an import in the order of the source. Raises ImportNotFound, Conflict."""
    job = await find_import(jobs, job_id)
    if job.arguments.get("dryRun"):
        raise Conflict(
            f"Import {job_id} was a dry run, which keeps no rejects: its result names the first {SAMPLES}; "
            "mend those, or import for real to have all of them",
            code="imports.rejects_not_kept",
        )
    pages = _pages(db, job.id, await rejects.rejects_after(db, job.id, -1))
    return _csv(db, job.id, pages) if form == "csv" else _ndjson(pages)


async def differences_of(jobs: Jobs, settings: Settings, job_id: str) -> Path:
    """File with all that a comparison found. Raises ImportNotFound, Conflict."""
    job = await find_import(jobs, job_id, [VERIFY_KIND], "Comparison")
    if job.state != "succeeded":
        raise Conflict(
            f"Comparison {job_id} has no differences to download: it is {job.state}",
            code="imports.verification_not_ready",
        )
    path = Folders(settings.data_dir).of(job.id) / DIFFERENCES
    if not await asyncio.to_thread(path.is_file):
        raise ImportNotFound(
            f"The differences of comparison {job_id} are not kept here any more; compare again"
        )
    return path


async def list_imports(
    db: Database, jobs: Jobs, *, limit: int, offset: int, cursor: str | None
) -> ListEnvelope[Import]:
    """Page of imports, newest first, dry runs and those that failed too."""
    page = await list_page(jobs, ("imports",), kind=IMPORTS, limit=limit, offset=offset, cursor=cursor)
    return listed(await _shown(db, jobs, page.jobs), total=page.total, next_cursor=page.next_cursor)


async def show_import(db: Database, jobs: Jobs, job_id: str) -> Import:
    """Raises ImportNotFound."""
    [shown] = await _shown(db, jobs, [await find_import(jobs, job_id)])
    return shown


async def find_import(
    jobs: Jobs, job_id: str, kinds: Sequence[str] = IMPORTS, what: str = "Import"
) -> JobView:
    """Raises ImportNotFound."""
    with suppress(JobNotFound):
        job = await jobs.get(job_id)
        if job.kind in kinds:
            return job
    raise ImportNotFound(f"{what} with id {job_id} not found")


async def accept_undo(db: Database, jobs: Jobs, actor: Author, job_id: str, choices: UndoChoices) -> JobView:
    """Enqueue an undo. Raises ImportNotFound, ImportNotUndoable, or JobConflict beside an import."""
    job = await find_import(jobs, job_id)
    if not job.ended:
        raise ImportNotUndoable(f"Import {job_id} has not ended yet; cancel it first")
    if job.arguments.get("dryRun"):
        raise ImportNotUndoable(f"Import {job_id} was a dry run: it has written nothing to take back")
    if job.id not in await journal.existing(db, [job.id]):
        raise ImportNotUndoable(f"Import {job_id} brought nothing, or is taken back already")
    arguments = UndoArguments(import_job_id=job.id, **choices.model_dump())
    return await jobs.enqueue(
        db, UNDO_KIND, arguments.model_dump(by_alias=True, exclude_defaults=True), actor
    )


async def _shown(db: Database, jobs: Jobs, found: Sequence[JobView]) -> list[Import]:
    ids = [job.id for job in found]
    kept = await journal.existing(db, ids)
    taken_back = {
        undo.arguments["importJobId"]: TakenBack(
            job_id=undo.id, at=undo.finished_at or undo.created_at, actor=undo.actor
        )
        for undo in await jobs.about(UNDO_KIND, "importJobId", ids)
        if undo.checkpoint is not None  # it has one since it has taken the import back
    }
    return [
        Import.model_validate(
            {
                **job.model_dump(include=_OF_THE_JOB),
                "source": job.kind.removeprefix("import."),
                "filename": job.arguments.get("filename"),
                "dry_run": job.arguments.get("dryRun", False),
                "imported": (job.result or {}).get("imported"),
                "updated": (job.result or {}).get("updated"),
                "undoable": job.ended and job.id in kept,
                "taken_back": taken_back.get(job.id),
            }
        )
        for job in found
    ]


async def _pages(db: Database, job_id: str, page: list[Reject]) -> AsyncIterator[list[Reject]]:
    while page:
        yield page
        page = await rejects.rejects_after(db, job_id, page[-1].position)


async def _ndjson(pages: AsyncIterator[list[Reject]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(_line(each) for each in page)


async def _csv(db: Database, job_id: str, pages: AsyncIterator[list[Reject]]) -> AsyncIterator[bytes]:
    """A first pass finds the columns, in the order in which records have them."""
    columns: dict[str, None] = {}
    async for page in _pages(db, job_id, await rejects.rejects_after(db, job_id, -1)):
        for each in page:
            if len(columns) < _MOST_COLUMNS:
                columns |= dict.fromkeys(_cells(each))
    yield csv_lines([["path", "reason", *columns]]).encode()
    async for page in pages:
        lines = ((each.path, each.reason, *map(_cells(each).get, columns)) for each in page)
        yield csv_lines(lines).encode("utf-8", "backslashreplace")


def _cells(reject: Reject) -> dict[str, object]:
    record = json.loads(reject.record, parse_int=_number)
    return record if isinstance(record, dict) else {"record": record}


def _number(digits: str) -> int | str:
    """One of more digits than Python reads stays text."""
    return int(digits) if len(digits) <= sys.int_info.default_max_str_digits else digits


def _line(reject: Reject) -> bytes:
    rest = orjson.dumps(reject.model_dump(exclude={"record"}))
    return b'%b,"record":%b}\n' % (rest[:-1], reject.record.encode())


def _with_columns(arguments: FileArguments, path: Path) -> FileArguments:
    """Arguments with what the header of a CSV file says. Raises ColumnsUnusable, SourceMalformed."""
    if arguments.into is None:
        return arguments.model_copy(update={"map": None})
    with opened(path, path.name) as file:
        columns, unknown = resolved(arguments.into, arguments.map or {}, CsvReader(file).columns)
    if arguments.since_last and "id" not in columns:
        raise ColumnsUnusable("What has changed since the last import is known by ids: map a column to id")
    sha256 = arguments.sha256 or sha256_of(path)
    return arguments.model_copy(update={"map": columns, "unknown": unknown, "sha256": sha256})


def readable_file(path: Path) -> Path:
    """Its absolute path. Raises SourceUnavailable, in whose message the path is the given one."""
    opened(path, readable_path(path)).close()
    return path.absolute()


def valid(model: type[Options], given: Mapping[str, object]) -> Options:
    """Raises UploadInvalid."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = field_errors(error.errors(include_url=False))
        raise UploadInvalid("Validation failed", details=details) from None
