"""The server process of an embedded service: how any of them is started, waited for and stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from core.local.paths import LocalServiceError, ServicePaths
from core.local.process import Account, child_setup


class ServerProcess:
    """The keeper calls `prepare`, `spawn`, `wait_ready`, and in the end `stop`.

    `stop_signals` come one after the other, each with the seconds that the server has to obey it; the first
    is also what it gets when its keeper dies. `account` is the user that it runs as, None for our own;
    `keep_access` lets that user pass folders that only root may enter.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float]
    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]]

    def __init__(self, paths: ServicePaths, account: Account | None = None) -> None:
        self.paths = paths
        self.account = account
        self.keep_access = False

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def accepts(self, pid: int) -> bool:
        """Whether it answers already."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def prepare(self) -> None:
        """Everything that a server needs on disk. Raises LocalServiceError."""
        private_folder(self.paths.socket_dir, self.account)

    def spawn(self) -> subprocess.Popen[bytes]:
        number, _ = self.stop_signals[0]
        with self.paths.server_log.open("ab") as log:
            return subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                preexec_fn=child_setup(  # noqa: PLW1509 - the keeper has no thread that holds a lock
                    number, self.account, keep_access=self.keep_access
                ),
            )

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Raises LocalServiceError when it ends or needs too long."""
        deadline = time.monotonic() + self.start_timeout_s
        while not self.accepts(process.pid):
            if process.poll() is not None:
                lines = self.paths.server_log.read_text(errors="replace").strip().splitlines()
                raise LocalServiceError(f"{self.name} did not start: {(lines or ['it said nothing'])[-1]}")
            if time.monotonic() > deadline:
                raise LocalServiceError(
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


def private_folder(path: Path, account: Account | None) -> None:
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
