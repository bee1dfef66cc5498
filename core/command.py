"""The context of a command: the parts of a server process without the server, opened and closed in order."""

import asyncio
import gc
import getpass
import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.database_url import place_of
from core.processes import new_folder
from core.server.embedded.server import StartError
from core.server.embedded.services import ensure_writable, local_services
from core.settings import IN_PROCESS_CACHE, Settings, load_settings

if TYPE_CHECKING:
    from core.cache import Cache
    from core.database.client import Author, Database
    from core.feature import Feature
    from core.jobs import Jobs

Features = Callable[[], "Sequence[Feature]"]
"""Returns features when called, since they import the modules that they need."""

_NEVER_SLOW_MS = 2**31
"""Limit of a command's queries unless SLOW_QUERY_MS is set: some open its connections, the statements
of jobs are large, and who waits for it sees what it does.
"""

ENGINE_FOLDER = Path(__file__).resolve().parents[1] / "prisma" / "engine"


@dataclass(frozen=True, slots=True)
class CommandContext:
    settings: Settings
    db: "Database"
    cache: "Cache"
    jobs: "Jobs"
    actor: "Author"
    """The user of this machine, whom the audit trail names."""
    database: str
    """Its name for people, without a password."""


def ensure_generated() -> None:
    """Raises StartError without both generated Prisma clients: later imports would fail with a riddle."""
    spec = importlib.util.find_spec("prisma")
    python_client = spec is not None and spec.origin and (Path(spec.origin).parent / "client.py").exists()
    parts = (ENGINE_FOLDER / "generated" / "client.ts", ENGINE_FOLDER / "node_modules" / "@prisma" / "client")
    if not python_client or not all(part.exists() for part in parts):
        raise StartError("The Prisma clients have not been generated; run `make setup`.")


@asynccontextmanager
async def command_context(features: Features) -> AsyncIterator[CommandContext]:
    """Context of a command: services, schema, database, cache and jobs, whether or not a server uses them
    too.

    `features` are those whose jobs the command can run and whose rows it writes; it imports what they need,
    while the engine starts.
    """
    from core.database import schema
    from core.database.client import Author, Database
    from core.jobs import runner
    from core.observability import logging

    settings = load_settings()
    if "slow_query_ms" not in settings.model_fields_set:
        settings = settings.model_copy(update={"slow_query_ms": _NEVER_SLOW_MS})
    _raise_if_elsewhere(settings)
    ensure_writable(settings.data_dir)
    quiet = {"log_level": "warning"} if settings.log_level == "info" else {}
    logging.configure(settings.model_copy(update=quiet))
    # A command says itself how its job ended.
    getLogger(runner.__name__).setLevel("ERROR")
    async with AsyncExitStack() as stack:
        running = stack.enter_context(local_services(settings))
        assert running.migration_url is not None
        importing = asyncio.create_task(asyncio.to_thread(features))
        db = Database.from_settings(running)
        await db.connect()
        stack.push_async_callback(db.disconnect)
        if not await schema.is_current(db):
            # A database of others is brought up to date by whom it is asked of: `serve` and `db deploy`.
            embedded = settings.database_url is None
            await (schema.deploy if embedded else schema.check)(running.migration_url)
        known = await importing

        from core.cache import Cache
        from core.database.writes import renewing
        from core.feature import kinds_of, rules_of
        from core.jobs import Jobs

        cache = Cache(running)
        await cache.start()
        stack.push_async_callback(cache.close)
        db.tell_writes_to(renewing(rules_of(known), cache.invalidate), cache.doubt)
        jobs = Jobs(db, cache, running, kinds_of(known))
        stack.push_async_callback(jobs.stop)
        # Modules and models live as long as the process: no collection shall look at them again.
        gc.freeze()
        yield CommandContext(running, db, cache, jobs, Author(_user()), database_name(settings))


def _raise_if_elsewhere(settings: Settings) -> None:
    """Raises StartError where a new, empty database would be made: hardly the intention of a command
    in the wrong folder.
    """
    folder = settings.data_dir
    if settings.database_url is None and "data_dir" not in settings.model_fields_set and not folder.exists():
        raise StartError(
            f"There is no data in {folder.absolute()}; start in the server's folder, "
            "or set DATA_DIR to make a new one here."
        )


def database_name(settings: Settings) -> str:
    if settings.database_url is None:
        return f"{settings.data_dir.absolute()} (embedded PostgreSQL)"
    user = urlsplit(settings.database_url).username
    return f"postgresql://{f'{user}@' if user else ''}{place_of(settings.database_url)}"


@contextmanager
def database_url() -> Iterator[str]:
    """URL of the configured database, past a pooler where a way is known, or of the embedded one."""
    settings = load_settings().model_copy(update={"redis_url": IN_PROCESS_CACHE})
    with local_services(settings) as running:
        assert running.migration_url is not None
        yield running.migration_url


@contextmanager
def empty_database_url() -> Iterator[str]:
    """URL of an empty server in a temporary folder, for comparing schemas, which creates databases."""
    folder = new_folder(Path(tempfile.gettempdir()), "handover-schema-")
    fresh = {
        "data_dir": folder,
        "database_url": None,
        "database_direct_url": None,
        "redis_url": IN_PROCESS_CACHE,
    }
    try:
        with local_services(load_settings().model_copy(update=fresh)) as running:
            assert running.database_url is not None
            yield running.database_url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
