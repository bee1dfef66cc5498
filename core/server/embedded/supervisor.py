"""The supervisor of one embedded service, for as long as somebody uses it.

    python -m core.server.embedded.supervisor SERVICE DATA_DIR LOCK

It is started by the first user, belongs to a session of its own (a Ctrl-C in the user's terminal does not
reach it), brings the service back when it crashes, and stops it when the last user's lock is gone. LOCK is
the descriptor of the supervisor lock, already held.
"""

import json
import os
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

from core.processes import open_lock, try_lock
from core.server.embedded.postgres import Postgres
from core.server.embedded.redis import Redis
from core.server.embedded.server import ServerProcess, ServiceName, ServicePaths, StartError

LOOK_S = 0.05
"""The interval in which it looks for users, and after its service."""
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

    def run(self) -> None:
        """Run the service until nobody is left, or a signal. The exclusive lock of the users is kept until
        the process ends: a newcomer waits for it and then starts a new supervisor.
        """
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stopping.set())
        users = open_lock(self._paths.users_lock)
        process = self._start()
        try:
            while not stopping.wait(LOOK_S) and not try_lock(users, exclusive=True):
                if process.poll() is not None:
                    process = self._restart(process.returncode)
        finally:
            self._paths.state.unlink(missing_ok=True)
            self._end(process)
        _log(self._paths, "stopped")

    def _start(self) -> subprocess.Popen[bytes]:
        """The service, which answers; later users find its URL in a file that is renamed into place, so that
        nobody reads half of it.
        """
        for tries in range(START_TRIES, 0, -1):
            self._service.prepare()
            process = self._service.spawn()
            try:
                self._service.wait_ready(process)
                break
            except StartError:
                self._end(process)
                if tries == 1:
                    raise
                time.sleep(RETRY_S)
        text = json.dumps({"url": self._service.url, "pid": process.pid, "supervisor": os.getpid()})
        fresh = self._paths.state.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._paths.state)
        return process

    def _restart(self, code: int) -> subprocess.Popen[bytes]:
        _log(self._paths, f"the service ended by itself (exit code {code}), starting it again")
        now = time.monotonic()
        if len(self._restarts) == MAX_RESTARTS and now - self._restarts[0] < RESTART_WINDOW_S:
            raise StartError(f"it ended {MAX_RESTARTS} times within {RESTART_WINDOW_S:.0f} s")
        self._restarts.append(now)
        return self._start()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Stop the service and leave nothing of it outside the data folder. The supervisor lock is held, so
        nobody can have begun to use the same place again.
        """
        self._service.stop(process)
        if not self._paths.socket_dir.is_relative_to(self._paths.base):
            shutil.rmtree(self._paths.socket_dir, ignore_errors=True)


def main(arguments: list[str]) -> int:
    name, data_dir, lock = arguments
    os.set_inheritable(int(lock), False)
    os.umask(0o077)
    paths = ServicePaths(cast("ServiceName", name), Path(data_dir))
    paths.failure.unlink(missing_ok=True)
    _shorten(paths.server_log)
    try:
        ServiceSupervisor(Postgres(paths) if name == "postgres" else Redis(paths), paths).run()
    except (StartError, OSError, subprocess.SubprocessError) as error:
        paths.failure.write_text(_sentence(error, paths))
        _log(paths, f"giving up: {_sentence(error, paths)}")
        return 1
    return 0


def _sentence(error: Exception, paths: ServicePaths) -> str:
    if isinstance(error, StartError):
        return str(error)
    return f"The embedded {paths.service} cannot start in {paths.base}: {error}."


def _shorten(log: Path, *, limit: int = 5_000_000) -> None:
    if log.exists() and log.stat().st_size > limit:
        os.truncate(log, 0)


def _log(paths: ServicePaths, text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {paths.service} {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
