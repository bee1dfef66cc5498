"""Shutdown of a server process, from the stop signal to its exit. In order:

1. SIGTERM arrives; a supervisor of several workers closes its own listeners and passes it on. The process is
   `leaving`: `/health/ready` answers 503 and kept-alive connections end with their next answer, but it serves
   for another SHUTDOWN_DELAY_S. SIGINT (Ctrl-C) and a second signal skip this.
2. It is `draining` (`drain_on_signal`): event streams end, jobs stop at their next batch, nothing new begins.
   uvicorn closes the listeners and waits SHUTDOWN_GRACE_S at most for the requests that are under way.
3. The lifespan of the app ends (`core.app`): what slices run beside requests is cancelled; jobs are handed
   back, those cut off that have not stopped within SHUTDOWN_GRACE_S less two seconds of 2; then the rate
   limiter, the follower of the log of changes, the cache and the engine are closed, in this order.
4. `core.server.serve` lets go of the embedded Redis and PostgreSQL, which stop when no process uses them.

Ctrl-C a second time makes uvicorn skip what is left of 2 and 3. After `kill -9` the kernel ends the engine
and the embedded services, and workers end themselves (`end_with_parent`).
"""

import asyncio
import gc
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import structlog

from core.platform import Platform

log = structlog.get_logger("handover.lifecycle")

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_COLLECT_AFTER: Final = (10_000, 20, 20)


@contextmanager
def drain_on_signal(platform: Platform) -> Iterator[None]:
    """Set `leaving` the moment a stop signal arrives, then `draining`, and call the server's own handler:
    SIGTERM waits SHUTDOWN_DELAY_S before that, Ctrl-C and a second signal do not.

    The server waits for open connections before it ends the lifespan: streams would keep it waiting if they
    learnt of the stop only then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous: dict[int, Callable[[int, FrameType | None], Any]] = {}
    delay_s = platform.settings.shutdown_delay_s

    def on_signal(number: int, frame: FrameType | None) -> None:
        if delay_s and number == signal.SIGTERM and not platform.leaving.is_set():
            log.info("app.leaving", seconds=delay_s)
            loop.call_soon_threadsafe(loop.call_later, delay_s, drain_at_last, number)
        else:
            drain(number)
        loop.call_soon_threadsafe(platform.leaving.set)

    def drain_at_last(number: int) -> None:
        # A second signal may have come before: the server would take another one as impatience.
        if not platform.draining.is_set():
            drain(number)

    def drain(number: int) -> None:
        loop.call_soon_threadsafe(platform.draining.set)
        previous[number](number, None)

    for number in STOP_SIGNALS:
        handler = signal.getsignal(number)
        # Without a handler of the server there is nobody to stop it, and the default must keep working.
        if callable(handler):
            previous[number] = handler
            signal.signal(number, on_signal)
    try:
        yield
    finally:
        for hooked, earlier in previous.items():
            if signal.getsignal(hooked) is on_signal:
                signal.signal(hooked, earlier)


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Block in which requests are answered, with garbage collection kept from holding them up.

    The objects made at the start (modules, routes, models: hundreds of thousands) live as long as the
    process, yet each full collection would look at all of them and stop everything for a tenth of a second.
    Frozen, they are not looked at again. Requests leave few cycles behind, so collections may also be rarer.
    """
    earlier = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*earlier)
        gc.unfreeze()


@contextmanager
def end_with_parent() -> Iterator[None]:
    """A worker process stops itself, in order, when its supervisor is gone; elsewhere this does nothing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop, sentinel = asyncio.get_running_loop(), parent.sentinel

    def end() -> None:
        loop.remove_reader(sentinel)
        log.warning("worker.parent_gone", parent=parent.pid)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(sentinel, end)
    try:
        yield
    finally:
        loop.remove_reader(sentinel)
