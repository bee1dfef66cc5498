"""Acceptance of a source: captures it, and enqueues the job that needs nothing but the capture."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing, closing
from pathlib import Path

import structlog

from core.database.client import Author, Database
from core.jobs import Jobs, JobView
from core.settings import Settings
from features.imports.comparison.compare import compare
from features.imports.comparison.schemas import Compared, Difference
from features.imports.errors import SourceUnavailable
from features.imports.pipeline.source import readable_path
from features.imports.registry import exported, live
from features.imports.registry.archive import unpack
from features.imports.registry.capture import Capture, Page, Tell
from features.imports.registry.source import RegistrySource
from features.imports.registry.stores import recognized, unknown
from features.imports.registry.tables import TABLES
from features.imports.schemas import RegistryArguments, RegistryOptions, Table
from features.imports.storage.folders import Folders
from features.imports.storage.upload import Upload, plain_name
from features.imports.storage.work import accept

log = structlog.get_logger(__name__)


async def accept_registry(
    db: Database,
    jobs: Jobs,
    settings: Settings,
    actor: Author,
    source: str,
    options: RegistryOptions,
    tell: Tell = lambda table, rows: None,
) -> JobView:
    """Capture `source`, a folder of CSV files or a postgresql:// URL, and enqueue its import.

    Only a person at a terminal may name a source: the URL is connected to from here, wherever it leads. It is
    not stored.
    """
    job = await accept(db, jobs, settings, actor, lambda folder: capture(folder, source, options, tell))
    log.info("import.accepted", job_id=job.id, store=job.arguments["store"])
    return job


async def compare_registry(
    db: Database,
    settings: Settings,
    source: str,
    options: RegistryOptions,
    tell: Callable[[Difference], None],
) -> Compared:
    """Comparison of the source with the tables here. Raises as `capture` does."""
    async with Folders(settings.data_dir).incoming() as folder:
        arguments = await capture(folder, source, options, lambda table, rows: None)
        return await compare(db, RegistrySource(arguments, folder, settings), tell)


async def capture_archive(
    folder: Path, upload: Upload, options: RegistryOptions, limit: int
) -> RegistryArguments:
    """Capture an uploaded ZIP file, which then goes; the bytes of files stay in the folder."""
    tables, files = await asyncio.to_thread(unpack, upload.path, folder, limit)
    arguments = await capture(folder, str(tables), options, lambda table, rows: None)
    await asyncio.to_thread(upload.path.unlink)
    await asyncio.to_thread(shutil.rmtree, tables)
    files = None if files is None else files.relative_to(folder)
    return arguments.model_copy(update={"filename": upload.filename, "files": files})


async def capture(folder: Path, source: str, options: RegistryOptions, tell: Tell) -> RegistryArguments:
    """Capture the source into the folder, with a digest of each table, and recognize its schema."""
    if options.files is not None:
        files = await asyncio.to_thread(_existing_folder, options.files)
        options = options.model_copy(update={"files": files})
    label, pages = await _opened(source, options)
    captures: dict[Table, Capture] = {}
    columns: dict[Table, list[str]] = {}
    with ExitStack() as stack:
        async with aclosing(pages):
            async for page in pages:
                if page.table not in captures:
                    captures[page.table] = stack.enter_context(closing(Capture(folder, page.table)))
                    columns[page.table] = page.columns
                await asyncio.to_thread(captures[page.table].add, page.lines, tell)
        if not captures:
            raise SourceUnavailable(f"{label} has none of {', '.join(TABLES)}")
        present = [table for table in TABLES if table in captures]
        digests = {table: await asyncio.to_thread(captures[table].finish) for table in present}
    columns = {table: columns[table] for table in present}
    return RegistryArguments(
        **options.model_dump(),
        filename=label,
        store=recognized(options.source, columns),
        columns=columns,
        unknown=unknown(columns),
        captured=digests,
        absent=[table for table in TABLES if table not in captures],
    )


async def _opened(source: str, options: RegistryOptions) -> tuple[str, AsyncGenerator[Page, None]]:
    """Label of the source for people, and its rows."""
    if live.is_url(source):
        return live.label_of(source), live.pages_of(options.source, source)
    if "://" in source:
        raise SourceUnavailable(
            "A running QuestDB is named by postgresql://HOST:8812, PostgreSQL by its postgresql:// URL, CSV "
            "files by their folder"
        )
    folder = await asyncio.to_thread(Path(source).absolute)
    return plain_name(folder.name), exported.pages_of(folder)


def _existing_folder(path: Path) -> Path:
    name = readable_path(path)
    if not path.is_dir():
        raise SourceUnavailable(f"{name} {'is not a folder' if path.exists() else 'does not exist'}")
    return path.absolute()
