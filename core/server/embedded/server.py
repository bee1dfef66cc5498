"""Server process of an embedded service: its files below the data folder, its start, readiness and stop."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from core.processes import dying_with_us

ServiceName = Literal["postgres", "redis"]

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit for a unix socket's address is 104 (macOS) or 108 (Linux)."""

LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class StartError(Exception):
    """A server, one of its services or a command cannot run here; the message is one sentence for the person
    at the terminal.
    """


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


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child of root runs as. `enters_all`: also folders that only root may enter (a data
    folder below /root, say), by the one capability that this needs; `setpriv` of util-linux gives it.
    """

    uid: int
    gid: int
    enters_all: bool = False


def started(
    command: Sequence[str | Path], ended_by: signal.Signals, account: Account | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """A child that gets the signal when this process goes; the options are those of `Popen`. From the main
    thread only: the kernel ties a child's life to the thread that made it.
    """
    if account is not None and account.enters_all:
        command = [
            *("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"),
            *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
            f"--pdeathsig={ended_by.name.removeprefix('SIG')}",
            *command,
        ]
    elif account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.Popen(
        command,
        umask=0o077,
        preexec_fn=dying_with_us(ended_by),  # noqa: PLW1509 - no thread of a supervisor holds a lock
        **{"stdin": subprocess.DEVNULL, **options},
    )


class ServerProcess:
    """The supervisor calls `prepare`, `spawn`, `wait_ready`, and in the end `stop`.

    `stop_signals` come one after the other, each with the seconds that the server has to obey it; the first
    is also what it gets when its supervisor dies. `account` is the user that it runs as, None for our own.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float]
    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]]
    url: str

    def __init__(self, paths: ServicePaths, account: Account | None = None) -> None:
        self.paths = paths
        self.account = account

    def command(self) -> list[str]:
        raise NotImplementedError

    def accepts(self, pid: int) -> bool:
        """True once it answers."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def prepare(self) -> None:
        """Prepare the server's files on disk. Raises StartError."""
        private_folder(self.paths.socket_dir, self.account)

    def spawn(self) -> subprocess.Popen[bytes]:
        number, _ = self.stop_signals[0]
        with self.paths.server_log.open("ab") as log:
            return started(
                self.command(), number, self.account, stdout=log, stderr=log, env=self.environment()
            )

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server accepts connections. Raises StartError if it ends or is too late."""
        deadline = time.monotonic() + self.start_timeout_s
        while not self.accepts(process.pid):
            if process.poll() is not None:
                lines = self.paths.server_log.read_text(errors="replace").strip().splitlines()
                raise StartError(f"{self.name} did not start: {(lines or ['it said nothing'])[-1]}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} was not ready within {self.start_timeout_s:.0f} s; "
                    f"see {self.paths.server_log}."
                )
            time.sleep(0.01)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        for number, patience in self.stop_signals:
            if process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue


def packaged(package: str, variable: str) -> Path:
    """Folder of an installed package, found without importing it, which is slow and may start locks of its
    own. Raises StartError, which names the setting that makes it needless.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(f"The package {package} is missing; run `make setup` or set {variable}.")
    return Path(spec.submodule_search_locations[0])


def private_folder(path: Path, account: Account | None) -> None:
    """Make a folder for its owner only. Raises StartError for one that somebody else put there."""
    path.mkdir(mode=0o700, exist_ok=True)
    allowed = {os.geteuid()} | ({account.uid} if account else set())
    if path.is_symlink() or path.stat().st_uid not in allowed:
        raise StartError(f"{path} belongs to another user; remove it or set DATA_DIR to a shorter path.")
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(0o700)
