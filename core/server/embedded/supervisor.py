"""The supervisor of one embedded service, for as long as somebody uses it.

    python -m core.server.embedded.supervisor SERVICE DATA_DIR LOCK READY

It is started by the first user, belongs to a session of its own (a Ctrl-C in the user's terminal does not
reach it), brings the service back when it crashes, and stops it when the last user's lock is gone. LOCK is
the descriptor of the supervisor lock, already held; READY a pipe on which the first line says how the start
went.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from core.locks import open_lock
from core.server.embedded.paths import LocalServiceError, ServiceName, ServicePaths
from core.server.embedded.postgres import Postgres
from core.server.embedded.redis import Redis
from core.server.embedded.server import ServerProcess

NOBODY_LEFT = 0
"""Byte on the wake pipe for "no user left", which no signal number uses."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
START_TRIES = 3
RETRY_S = 0.3
"""The pause between two tries: what a killed predecessor leaves (children, shared memory) is gone within
moments, not at once.
"""

MAX_RESTARTS = 5
RESTART_WINDOW_S = 60.0


class ServiceSupervisor:
    """`run` returns when the service has stopped; every way out of the process lets go of both locks."""

    def __init__(self, service: ServerProcess, paths: ServicePaths) -> None:
        self._service = service
        self._paths = paths
        self._restarts: deque[float] = deque(maxlen=MAX_RESTARTS)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def start(self) -> subprocess.Popen[bytes]:
        tries = 0
        while True:
            tries += 1
            self._service.prepare()
            process = self._service.spawn()
            try:
                self._service.wait_ready(process)
            except LocalServiceError:
                self._end(process)
                if tries == START_TRIES:
                    raise
                time.sleep(RETRY_S)
            else:
                return process

    def run(self, process: subprocess.Popen[bytes]) -> None:
        signal.set_wakeup_fd(self._wake_write)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, _wake_only)
        threading.Thread(target=self._wait_for_nobody, daemon=True).start()
        try:
            while not self._asked_to_stop():
                if process.poll() is not None:
                    process = self._restart(process.returncode)
        finally:
            self._paths.state.unlink(missing_ok=True)
            self._end(process)
        _log(self._paths, "stopped")

    def publish(self, process: subprocess.Popen[bytes]) -> None:
        """Let later users find the service; renamed into place so that nobody reads half of it."""
        text = json.dumps({"url": self._service.url, "pid": process.pid, "supervisor": os.getpid()})
        fresh = self._paths.state.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._paths.state)

    def _asked_to_stop(self) -> bool:
        select.select([self._wake_read], [], [])
        reasons = set(os.read(self._wake_read, 4096))
        return bool(reasons & {NOBODY_LEFT, *STOP_SIGNALS})

    def _wait_for_nobody(self) -> None:
        """The exclusive lock is kept until the process ends: a newcomer waits for it and then starts a new
        supervisor.
        """
        fcntl.flock(open_lock(self._paths.users_lock), fcntl.LOCK_EX)
        os.write(self._wake_write, bytes([NOBODY_LEFT]))

    def _restart(self, code: int) -> subprocess.Popen[bytes]:
        _log(self._paths, f"the service ended by itself (exit code {code}), starting it again")
        now = time.monotonic()
        if len(self._restarts) == MAX_RESTARTS and now - self._restarts[0] < RESTART_WINDOW_S:
            raise LocalServiceError(f"it ended {MAX_RESTARTS} times within {RESTART_WINDOW_S:.0f} s")
        self._restarts.append(now)
        process = self.start()
        self.publish(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Stop the service and leave nothing of it outside the data folder. The supervisor lock is held, so
        nobody can have begun to use the same place again.
        """
        self._service.stop(process)
        if not self._paths.socket_dir.is_relative_to(self._paths.base):
            shutil.rmtree(self._paths.socket_dir, ignore_errors=True)


def main(arguments: list[str]) -> int:
    name, data_dir, lock, ready = arguments
    os.set_inheritable(int(lock), False)
    os.set_inheritable(int(ready), False)
    os.umask(0o077)
    paths = ServicePaths(cast("ServiceName", name), Path(data_dir))
    paths.state.unlink(missing_ok=True)
    _shorten(paths.server_log)
    with os.fdopen(int(ready), "w") as answer:
        try:
            service = Postgres(paths) if name == "postgres" else Redis(paths)
            supervisor = ServiceSupervisor(service, paths)
            process = supervisor.start()
        except (LocalServiceError, OSError, subprocess.SubprocessError) as error:
            answer.write(json.dumps({"error": _sentence(error, paths)}) + "\n")
            return 1
        supervisor.publish(process)
        answer.write(json.dumps({"url": service.url}) + "\n")
    try:
        supervisor.run(process)
    except (LocalServiceError, OSError, subprocess.SubprocessError) as error:
        _log(paths, f"giving up: {_sentence(error, paths)}")
        return 1
    return 0


def _sentence(error: Exception, paths: ServicePaths) -> str:
    if isinstance(error, LocalServiceError):
        return str(error)
    return f"The embedded {paths.service} cannot start in {paths.base}: {error}."


def _shorten(log: Path, *, limit: int = 5_000_000) -> None:
    if log.exists() and log.stat().st_size > limit:
        os.truncate(log, 0)


def _log(paths: ServicePaths, text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {paths.service} {text}\n")
    sys.stderr.flush()


def _wake_only(number: int, frame: object) -> None:
    """Do nothing: the signal's number has already been written to the wake pipe."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
