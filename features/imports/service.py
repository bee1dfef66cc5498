"""Service of imports: accepts uploads, files and undos, lists imports, streams rejects."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Final, TypeVar

import orjson
import structlog
from pydantic import ValidationError

from core.database.client import Author, Database
from core.errors import VALIDATION_FAILED
from core.http.answers.envelope import ListEnvelope, listed
from core.http.request.multipart import FORM_OVERHEAD_BYTES
from core.http.request.validation import field_errors
from core.jobs import JobNotFound, Jobs, JobView
from core.settings import Settings
from features.imports.csv.columns import resolved
from features.imports.csv.reader import CsvReader
from features.imports.errors import (
    ColumnsUnusable,
    ImportNotFound,
    ImportNotUndoable,
    SourceUnavailable,
    UploadInvalid,
    UploadTooLarge,
)
from features.imports.pipeline.source import opened
from features.imports.pipeline.spool import sha256_of
from features.imports.queries import journal, rejects
from features.imports.schemas import SOURCES, UNDO_KIND, FileArguments, FileForm, FileOptions, Import, Reject
from features.imports.settings import ImportSettings
from features.imports.storage.upload import receive
from features.imports.storage.work import accept
from features.imports.undo.schemas import UndoArguments, UndoChoices
from features.jobs.api import list_page

IMPORTS: Final = tuple(SOURCES.values())

Options = TypeVar("Options", bound=FileOptions)

log = structlog.get_logger(__name__)


async def accept_upload(
    db: Database,
    jobs: Jobs,
    settings: Settings,
    actor: Author,
    headers: Mapping[str, str],
    body: AsyncIterable[bytes],
) -> JobView:
    """Stream the form to disk and enqueue its import; whatever goes wrong leaves no file behind.

    Raises JobConflict while another import has not ended, before the body is read if it is known by then.
    """
    limit = int(settings.of(ImportSettings).import_max_bytes)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit + FORM_OVERHEAD_BYTES:
        raise UploadTooLarge(f"The file is larger than {limit} bytes")
    size = 0

    async def receive_form(folder: Path) -> FileArguments:
        nonlocal size
        upload = await receive(headers.get("content-type", ""), body, folder, limit=limit)
        options = valid(FileForm, {name: text for name, text in upload.fields.items() if text != ""})
        size = upload.size
        arguments = FileArguments(**options.model_dump(), filename=upload.filename, sha256=upload.sha256)
        return await asyncio.to_thread(_with_columns, arguments, upload.path)

    job = await accept(db, jobs, settings, actor, receive_form)
    log.info("import.accepted", job_id=job.id, bytes=size, sha256=job.arguments["sha256"])
    return job


async def accept_file(
    db: Database, jobs: Jobs, settings: Settings, actor: Author, path: Path, options: FileOptions
) -> JobView:
    """Enqueue the import of a file that stays where it is and is only read."""
    path = await asyncio.to_thread(readable_file, path)

    async def name(folder: Path) -> FileArguments:
        arguments = FileArguments(**options.model_dump(), filename=path.name, path=str(path))
        return await asyncio.to_thread(_with_columns, arguments, path)

    return await accept(db, jobs, settings, actor, name)


async def list_imports(
    db: Database, jobs: Jobs, *, limit: int, offset: int, cursor: str | None
) -> ListEnvelope[Import]:
    """Page of imports, newest first, dry runs and those that failed too."""
    page = await list_page(jobs, ("imports",), kind=IMPORTS, limit=limit, offset=offset, cursor=cursor)
    kept = await journal.existing(db, [job.id for job in page.jobs])
    shown = [_shown(job, kept) for job in page.jobs]
    return listed(shown, total=page.total, next_cursor=page.next_cursor)


def _shown(job: JobView, kept: Collection[str]) -> Import:
    result = job.result or {}
    return Import.model_validate(
        {
            "id": job.id,
            "source": job.kind.removeprefix("import."),
            "filename": job.arguments.get("filename"),
            "state": job.state,
            "dryRun": job.arguments.get("dryRun", False),
            "imported": result.get("imported"),
            "updated": result.get("updated"),
            "rejected": job.rejected,
            "undoable": job.ended and job.id in kept,
            "actor": job.actor,
            "createdAt": job.created_at,
            "finishedAt": job.finished_at,
            "error": job.error,
        }
    )


async def rejects_of(db: Database, jobs: Jobs, job_id: str) -> AsyncIterator[bytes]:
    """Rejects of an import as NDJSON, in the order of the source. Raises ImportNotFound."""
    job = await find_import(jobs, job_id)
    return _lines(db, job.id, await rejects.rejects_after(db, job.id, -1))


async def find_import(jobs: Jobs, job_id: str) -> JobView:
    """Raises ImportNotFound."""
    try:
        job = await jobs.get(job_id)
    except JobNotFound:
        job = None
    if job is None or job.kind not in IMPORTS:
        raise ImportNotFound(f"Import with id {job_id} not found")
    return job


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


async def _lines(db: Database, job_id: str, page: list[Reject]) -> AsyncIterator[bytes]:
    while page:
        yield b"".join(_line(each) for each in page)
        page = await rejects.rejects_after(db, job_id, page[-1].position)


def _line(reject: Reject) -> bytes:
    rest = orjson.dumps(reject.model_dump(exclude={"record"}))
    return b'%b,"record":%b}\n' % (rest[:-1], reject.record.encode())


def _with_columns(arguments: FileArguments, path: Path) -> FileArguments:
    """Arguments with what the header of a CSV file says. Raises ColumnsUnusable, SourceMalformed."""
    if arguments.into is None:
        return arguments.model_copy(update={"map": None})
    with opened(path) as file:
        columns, unknown = resolved(arguments.into, arguments.map or {}, CsvReader(file).columns)
    if arguments.since_last and "id" not in columns:
        raise ColumnsUnusable("What has changed since the last import is known by ids: map a column to id")
    sha256 = arguments.sha256 or sha256_of(path)
    return arguments.model_copy(update={"map": columns, "unknown": unknown, "sha256": sha256})


def readable_file(path: Path) -> Path:
    """Its absolute path. Raises SourceUnavailable, in whose message the path is the given one."""
    try:
        if not path.is_file():
            raise SourceUnavailable(f"{path} {'is not a file' if path.exists() else 'does not exist'}")
        path.open("rb").close()
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error
    return path.absolute()


def valid(model: type[Options], given: Mapping[str, object]) -> Options:
    """Raises UploadInvalid."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = field_errors(error.errors(include_url=False))
        raise UploadInvalid(VALIDATION_FAILED, details=details) from None
