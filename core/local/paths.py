"""The files of one embedded service below the data folder, and the locks that users and keepers
share.
"""

import fcntl
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ServiceName = Literal["postgres", "redis"]

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit for a unix socket's address is 104 (macOS) or 108 (Linux)."""

LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class LocalServiceError(Exception):
    """An embedded service cannot run; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class ServicePaths:
    """The files of one service of one data folder.

    `users_lock` is held shared by whoever uses the service; `keeper_lock` exclusively by the keeper for
    its whole life; `start_lock` by a user while it looks for or starts a keeper.
    """

    service: ServiceName
    data_dir: Path

    @property
    def base(self) -> Path:
        return self.data_dir / "local" / self.service

    @property
    def users_lock(self) -> Path:
        return self.base / "users.lock"

    @property
    def keeper_lock(self) -> Path:
        return self.base / "keeper.lock"

    @property
    def start_lock(self) -> Path:
        return self.base / "start.lock"

    @property
    def state(self) -> Path:
        """JSON with the URL; it exists from the moment the service answers until it is being stopped."""
        return self.base / "state.json"

    @property
    def keeper_log(self) -> Path:
        return self.base / "keeper.log"

    @property
    def server_log(self) -> Path:
        return self.base / "server.log"

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def socket_dir(self) -> Path:
        """Below the data folder, or in the temporary one when that path is too long or has odd characters."""
        preferred = self.base / "socket"
        text = str(preferred)
        too_long = len(os.fsencode(text)) + LONGEST_SOCKET_NAME > LONGEST_SOCKET_PATH
        if not too_long and not any(character in text for character in "\"',?#%& \\"):
            return preferred
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"handover-{os.geteuid()}-{digest}-{self.service}"


def open_lock(path: Path) -> int:
    """An open descriptor to lock on; it is not inherited by children."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, exclusive: bool) -> bool:
    """Take the lock if that is possible at once."""
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
