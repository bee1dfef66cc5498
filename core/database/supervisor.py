"""The supervisor of the engine process: starts it again whenever it ends, kills it when it hangs."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
import structlog

from core.database import metrics
from core.database.errors import EngineUnavailable
from core.database.process import Connection, EngineProcess

RESTART_WAIT_S: Final = 3.0
"""The longest wait of a request for an engine that is being started."""
NOTICE_S: Final = 0.005
PROBE_INTERVAL_S: Final = 1.0
PROBE_TIMEOUT_S: Final = 15.0
"""Timeout in seconds after which an engine that does not answer counts as hung, and is killed."""
STABLE_AFTER_S: Final = 1.0
"""Seconds after which a running engine counts as stable and is replaced at once: a pause is for those that
die at start.
"""
BACK_OFF_S: Final = (0.0, 0.0, 0.05, 0.1, 0.2, 0.4)
"""Pauses in seconds before the n-th start in a row; the last one repeats. Together with the start itself,
which takes about half a second, it is short enough to be back within two.
"""

Report = Callable[[Mapping[str, Any]], None]
"""Called with the engine's statistics, about once a second."""

log = structlog.get_logger("database.engine")


class Supervisor:
    """Supervisor of one engine process at a time, from `start` to `stop`."""

    def __init__(self, configuration: Mapping[str, Any], report: Report) -> None:
        self._configuration = configuration
        self._report = report
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_failure: str | None = None
        self.process: EngineProcess | None = None
        self.restarts = 0

    async def start(self, timeout: timedelta) -> None:
        """Start supervising. Raises EngineUnavailable when no engine is ready within `timeout`."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._supervise(), name="engine supervisor")
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._ready.wait()
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise EngineUnavailable(
                    self._last_failure or "The database engine did not start in time."
                ) from None
            raise

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def connection(self) -> Connection:
        """Connection of the running engine, or of the next one if ready soon. Raises EngineUnavailable."""
        process = self.process
        if process is not None and process.connection.is_open:
            return process.connection
        if self._task is None:
            raise EngineUnavailable("The database client is not connected.")
        try:
            async with asyncio.timeout(RESTART_WAIT_S):
                while True:
                    await self._ready.wait()
                    process = self.process
                    if process is not None and process.connection.is_open:
                        return process.connection
                    # `_supervise` is about to notice that this one has gone.
                    await asyncio.sleep(NOTICE_S)
        except TimeoutError:
            raise EngineUnavailable("The database engine is being started; try again in a moment.") from None

    async def _supervise(self) -> None:
        failures = 0
        while True:
            pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            started = time.monotonic()
            try:
                process = await EngineProcess.start(self._configuration)
            except EngineUnavailable as error:
                failures += 1
                self._last_failure = error.message
                log.error("engine.start_failed", reason=error.message, failures=failures)
                continue
            try:
                await self._serve(process)
            finally:
                self.process = None
                self._ready.clear()
                await process.stop()
            failures = 0 if time.monotonic() - started > STABLE_AFTER_S else failures + 1
            self.restarts += 1
            metrics.RESTARTS.inc()
            log.warning("engine.died", pid=process.pid, restarts=self.restarts)

    async def _serve(self, process: EngineProcess) -> None:
        """Serve requests until the connection closes, probing the engine every second."""
        self.process = process
        self._ready.set()
        log.info("engine.started", pid=process.pid)
        closed = process.connection.closed
        while not closed.done():
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    _, payload = await process.connection.send(orjson.dumps({"op": "stats"}))
            except TimeoutError:
                log.error("engine.hangs", pid=process.pid, seconds=PROBE_TIMEOUT_S)
                process.kill()
                await closed
                return
            except EngineUnavailable:
                return
            self._report(orjson.loads(payload))
            await asyncio.wait([closed], timeout=PROBE_INTERVAL_S)
