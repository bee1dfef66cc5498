"""The use of embedded services: enter, get settings with real URLs, leave."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from core.processes import locked_at_once, open_lock, try_lock
from core.server.embedded.server import ServiceName, ServicePaths, StartError
from core.settings import Settings

START_TIMEOUT_S = 90.0
LEAVE_TIMEOUT_S = 30.0
POLL_S = 0.01
EMBEDDED: Mapping[str, ServiceName] = {"database_url": "postgres", "redis_url": "redis"}
"""By the setting that names another one."""

_supervisors: list[subprocess.Popen[bytes]] = []
"""The supervisors that this process started. They are meant to outlive it; held so that they are reaped,
never waited for.
"""


class ServiceUse:
    """Use of a service by this process: from `acquire` to `release` a shared lock keeps it running."""

    def __init__(self, service: ServiceName, data_dir: Path) -> None:
        self._paths = ServicePaths(service, data_dir)
        self._lock: int | None = None

    def acquire(self) -> str:
        """Lock and return the URL of the running service, starting it if nobody has yet."""
        deadline = time.monotonic() + START_TIMEOUT_S
        self._paths.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        start_lock = open_lock(self._paths.start_lock)
        self._lock = open_lock(self._paths.users_lock)
        try:
            self._wait_for_lock(start_lock, deadline, exclusive=True)
            self._wait_for_lock(self._lock, deadline, exclusive=False)
            return self._url(deadline)
        except BaseException:
            self._let_go()
            raise
        finally:
            os.close(start_lock)

    def release(self) -> None:
        """Release the lock, and if nobody else uses the service wait until it has stopped (bounded)."""
        if self._lock is None:
            return
        self._let_go()
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        while time.monotonic() < deadline and not self._supervisor_gone() and not self._used_by_others():
            time.sleep(POLL_S)
        _reap()

    def _url(self, deadline: float) -> str:
        """With the start lock held: either the supervisor is alive, or it is ours to start, once."""
        state, tries = self._paths.state, 0
        while time.monotonic() < deadline:
            with locked_at_once(self._paths.supervisor_lock) as lock:
                if lock is not None:
                    if tries:
                        raise StartError(self._failure())
                    tries += 1
                    state.unlink(missing_ok=True)
                    self._start_supervisor(lock)
            with suppress(FileNotFoundError):
                return str(json.loads(state.read_text())["url"])
            time.sleep(POLL_S)
        raise self._late()

    def _start_supervisor(self, supervisor_lock: int) -> None:
        """The supervisor inherits the held lock, so there is no moment in which somebody else could start one
        too.
        """
        arguments = [self._paths.service, str(self._paths.data_dir), str(supervisor_lock)]
        with self._paths.supervisor_log.open("ab") as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-P", "-m", "core.server.embedded.supervisor", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(supervisor_lock,),
                start_new_session=True,
            )
        _supervisors.append(supervisor)

    def _failure(self) -> str:
        """The sentence with which the supervisor has ended."""
        try:
            return self._paths.failure.read_text()
        except FileNotFoundError:
            return f"The embedded {self._paths.service} did not start; see {self._paths.supervisor_log}."

    def _wait_for_lock(self, descriptor: int, deadline: float, *, exclusive: bool) -> None:
        while not try_lock(descriptor, exclusive=exclusive):
            if time.monotonic() > deadline:
                raise self._late()
            time.sleep(POLL_S)

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _supervisor_gone(self) -> bool:
        _reap()
        with locked_at_once(self._paths.supervisor_lock, exclusive=False) as lock:
            return lock is not None

    def _used_by_others(self) -> bool:
        """Not to be had exclusively, yet to be had shared: other users hold it. A supervisor that stops holds
        it exclusively.
        """
        with locked_at_once(self._paths.users_lock) as alone:
            if alone is not None:
                return False
        with locked_at_once(self._paths.users_lock, exclusive=False) as shared:
            return shared is not None

    def _late(self) -> StartError:
        return StartError(
            f"The embedded {self._paths.service} was not ready within {START_TIMEOUT_S:.0f} s; "
            f"see {self._paths.supervisor_log}."
        )


@contextmanager
def local_services(settings: Settings) -> Iterator[Settings]:
    """Settings with the URLs of the embedded services in place of those that are not set. For URLs that are
    set nothing is started. Raises StartError.
    """
    wanted = {
        name: ServiceUse(service, settings.data_dir)
        for name, service in EMBEDDED.items()
        if getattr(settings, name) is None
    }
    if not wanted:
        yield settings
        return
    ensure_writable(settings.data_dir)
    with ExitStack() as stack:
        for use in wanted.values():
            stack.callback(use.release)
        with ThreadPoolExecutor() as pool:
            urls = pool.map(ServiceUse.acquire, wanted.values())
            running = settings.model_copy(update=dict(zip(wanted, urls, strict=True)))
        yield running


def ensure_writable(folder: Path) -> None:
    """Make the data folder and check that it is writable; raises StartError with what to do."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise StartError(
            f"The data folder {folder} cannot be used ({reason}); "
            "set DATA_DIR to a folder that you may write."
        ) from None


def _reap() -> None:
    _supervisors[:] = [supervisor for supervisor in _supervisors if supervisor.poll() is None]
