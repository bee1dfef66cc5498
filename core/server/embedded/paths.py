"""The files of one embedded service below the data folder, and the locks that users and
supervisors share.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

ServiceName = Literal["postgres", "redis"]

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit for a unix socket's address is 104 (macOS) or 108 (Linux)."""

LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class LocalServiceError(Exception):
    """An embedded service cannot run; the message is one sentence for the person at the terminal."""


class ServicePaths:
    """The files of one service of one data folder.

    `users_lock` is held shared by whoever uses the service; `supervisor_lock` exclusively by its supervisor
    for its whole life; `start_lock` by a user while it looks for or starts a supervisor. `state` is JSON with
    the URL; it exists from the moment the service answers until it is being stopped. `failure` is the
    sentence with which the last supervisor gave up.
    """

    def __init__(self, service: ServiceName, data_dir: Path) -> None:
        self.service = service
        self.data_dir = data_dir
        self.base = data_dir / "local" / service
        self.users_lock = self.base / "users.lock"
        # By these names releases before know them, which may run still.
        self.supervisor_lock = self.base / "keeper.lock"
        self.supervisor_log = self.base / "keeper.log"
        self.start_lock = self.base / "start.lock"
        self.state = self.base / "state.json"
        self.failure = self.base / "failure.txt"
        self.server_log = self.base / "server.log"
        self.data = self.base / "data"
        self.socket_dir = self._socket_dir()

    def _socket_dir(self) -> Path:
        """Below the data folder, or in the temporary one when that path is too long or has odd characters."""
        preferred = self.base / "socket"
        text = str(preferred)
        too_long = len(os.fsencode(text)) + LONGEST_SOCKET_NAME > LONGEST_SOCKET_PATH
        if not too_long and not any(character in text for character in "\"',?#%& \\"):
            return preferred
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"handover-{os.geteuid()}-{digest}-{self.service}"
