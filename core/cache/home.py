"""Where the tag versions of a database lie: one place for every process of this host that uses it.

A server and a command may name the same database from different data folders; they still have to share
versions, or the server would go on serving what the command has changed. So the place follows from the
database, not from the folder: shared memory, by a digest of the database's address. The embedded database
belongs to its data folder, and so do its tag versions.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import structlog

from core.server.embedded.paths import ServicePaths

if TYPE_CHECKING:
    from core.settings import Settings

SHARED_MEMORY: Final = Path("/dev/shm")
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
DEFAULT_PORT: Final = 5432

_log = structlog.get_logger(__name__)


def versions_folder(settings: "Settings") -> Path:
    """A folder that exists and is ours. Falls back to the data folder where another user's is in the way."""
    own = settings.data_dir / "run"
    if _database_is_embedded(settings):
        return own
    host, port, name = _address(settings.database_url or "")
    digest = hashlib.sha256(f"{host}\n{port}\n{name}".encode()).hexdigest()[:32]
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    shared = base / f"handover-{digest}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
        if not shared.is_symlink() and (shared.stat().st_uid == os.geteuid() or os.geteuid() == 0):
            return shared
        reason = "it belongs to another user"
    except OSError as error:
        reason = error.strerror or "it cannot be made"
    _log.warning("cache.versions_not_shared", folder=str(shared), reason=reason)
    return own


def _database_is_embedded(settings: "Settings") -> bool:
    if settings.database_url is None:
        return True
    folder = _address(settings.database_url)[0]
    own = ServicePaths("postgres", settings.data_dir).socket_dir
    return folder.startswith("/") and os.path.realpath(folder) == os.path.realpath(own)


def _address(url: str) -> tuple[str, int, str]:
    """Host or socket folder, port and database: the same for every spelling that is seen in practice."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    host = os.path.realpath(folder) if folder.startswith("/") else folder or parts.hostname or ""
    return "loopback" if host in LOOPBACK else host, parts.port or DEFAULT_PORT, parts.path.strip("/")
