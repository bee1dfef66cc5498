"""Command `handover serve`: settings, embedded services, schema, uvicorn, and the reverse at the end.

The process that runs this is the supervisor. With one worker it serves itself; with several it only
watches them.
"""

import asyncio
import errno
import importlib
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from ipaddress import ip_address
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from core.observability import logging, multiprocess
from core.processes import die_with_parent
from core.server.embedded.server import StartError
from core.server.embedded.services import ensure_writable, local_services
from core.server.lifecycle import STOP_SIGNALS
from core.settings import Settings

APP = "core.app:create_app"
HTTP = "core.server.protocol:HttpProtocol"
KEEP_ALIVE_S = 15
BACKLOG = 2048
ANNOUNCE_TIMEOUT_S = 60.0
ANNOUNCE_POLL_S = 0.05
JOIN_POLL_S = 0.1


class StopRequested(SystemExit):
    """A stop signal arrived. Of all exceptions only SystemExit and KeyboardInterrupt leave an event loop by
    whatever task or callback they were raised in; asyncio logs any other and goes on.
    """


def serve(settings: Settings, announce: Callable[[str], None], *, stop_with_parent: bool = False) -> None:
    """Serve until a stop signal; `announce` is called with the base URL once requests are answered.

    Raises StartError or SchemaError when it cannot start.
    """
    with suppress(StopRequested), stop_signals() as stopping:
        if stop_with_parent:
            die_with_parent(signal.SIGTERM, os.getppid())
        _refuse_openness(settings)
        ensure_writable(settings.data_dir)
        with (
            bound_sockets(settings) as listeners,
            _app_loading(settings),
            local_services(settings) as running,
        ):
            _deploy(running)
            _export(running)
            watch = threading.Thread(target=_announce, args=(running, announce), daemon=True)
            watch.start()
            if stopping.is_set():
                raise StopRequested
            _serve(running, listeners)


def _refuse_openness(settings: Settings) -> None:
    """Raises StartError for a server without keys on a network: nobody opens a registry by forgetting."""
    if settings.auth == "off" and not settings.allow_open and not _is_loopback(settings.host):
        raise StartError(
            f"HOST={settings.host} would let everybody who reaches this machine read and change everything, "
            "because AUTH is off; set AUTH=keys, or ALLOW_OPEN=true when something else guards it."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Block in which the first stop signal raises StopRequested; later ones are ignored.

    The event is set by it, for an exception raised in a finalizer or a callback from C is dropped by Python.
    uvicorn raises the signal once more after it has stopped, so that it arrives here.
    """
    stopping = threading.Event()

    def unwind(number: int, frame: FrameType | None) -> None:
        stopping.set()
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StopRequested

    earlier = {number: signal.signal(number, unwind) for number in STOP_SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def bound_sockets(settings: Settings) -> Iterator[list[socket.socket]]:
    """Listening sockets of the ports, taken first: when one is taken nothing else has been started yet."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(_bound("PORT", settings.host, settings.port))]
        if settings.admin_port is not None:
            listeners.append(
                stack.enter_context(_bound("ADMIN_PORT", settings.admin_host, settings.admin_port))
            )
        yield listeners


def _bound(variable: str, host: str, port: int) -> socket.socket:
    """Listening socket; `variable` is the name of the port's setting. Raises StartError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # SO_REUSEADDR lets two sockets bind as long as neither listens: this settles whose port it is.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(_bind_sentence(variable, host, port, error)) from None
    return listener


def _bind_sentence(variable: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program; stop that one or set {variable} to a free port."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; set {variable} to one above 1023."
    reason = error.strerror or error
    address = variable.replace("PORT", "HOST")
    return f"Cannot listen on {host}:{port} ({reason}); correct {address} and {variable}."


@contextmanager
def _app_loading(settings: Settings) -> Iterator[None]:
    """Block that imports the app in a thread while the services start. Workers import it themselves."""
    multiprocess.prepare(settings.data_dir)
    with ThreadPoolExecutor(1) as pool:
        if settings.workers == 1:
            pool.submit(importlib.import_module, APP.partition(":")[0])
        yield


def _deploy(settings: Settings) -> None:
    from core.database import schema

    if settings.migration_url is not None:
        asyncio.run(schema.deploy(settings.migration_url))


def _export(settings: Settings) -> None:
    """Write to the environment what workers read from it: the URLs of the embedded services, and the name and
    version that traces are of, unless it says others.
    """
    os.environ["DATA_DIR"] = str(settings.data_dir)
    os.environ.setdefault("OTEL_SERVICE_NAME", "handover")
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = f"service.version={version('handover')},{given}".rstrip(",")
    for name in ("database_url", "redis_url"):
        os.environ[name.upper()] = str(getattr(settings, name))


def _serve(settings: Settings, listeners: list[socket.socket]) -> None:
    logging.configure(settings)
    config = uvicorn.Config(
        APP,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        lifespan="on",
        http=HTTP,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    failed = _serve_here(config, listeners) if settings.workers == 1 else _supervise(config, listeners)
    if failed:
        raise StartError("The app did not start; the log above says why.")


def _serve_here(config: uvicorn.Config, listeners: list[socket.socket]) -> bool:
    try:
        uvicorn.Server(config).run(listeners)
    except SystemExit as end:
        return end.code not in (None, 0)
    return False


class Supervisor(Multiprocess):
    """Uvicorn's supervisor, but a stop closes its own listeners first: once the workers have closed theirs,
    new connections are refused instead of waiting for one that never comes.
    """

    def terminate_all(self) -> None:
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers. Another stop signal meanwhile is passed on: they wait no longer then."""
        while any(process.exitcode is None for process in self.processes):
            if self.signal_queue:
                self.signal_queue.clear()
                super().terminate_all()
            time.sleep(JOIN_POLL_S)
        super().join_all()


def _supervise(config: uvicorn.Config, listeners: list[socket.socket]) -> bool:
    supervisor = Supervisor(config, sockets=listeners)
    supervisor.run()
    return any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)


def _announce(settings: Settings, announce: Callable[[str], None]) -> None:
    """Announce the server when it answers: the port listens from the start, so only an answer tells."""
    base_url = public_url(settings)
    deadline = time.monotonic() + ANNOUNCE_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{base_url}/health/live", timeout=ANNOUNCE_TIMEOUT_S):
                announce(base_url)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(ANNOUNCE_POLL_S)


def public_url(settings: Settings) -> str:
    """The URL by which a person on this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{settings.port}"
