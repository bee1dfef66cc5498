"""The engine seam: what the typed client takes for its query engine, kept alive.

A supervisor starts the engine process again whenever it ends. What was in flight fails with
EngineUnavailable, because nobody can know whether it was done; what arrives meanwhile waits a little for the
new process.
"""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

import orjson
import structlog
from prisma._types import TransactionId
from prisma.engine import AsyncAbstractEngine

from core.database import metrics
from core.database.errors import EngineUnavailable, NotSupported, PoolExhausted, engine_error
from core.database.meter import current_meter
from core.database.pool import Admission, refused
from core.database.process import ERROR, NOTHING, PLAIN, TAGGED, EngineProcess

RESTART_WAIT_S: Final = 3.0
"""How long a request waits for an engine that is being started."""
NOTICE_S: Final = 0.005
PROBE_INTERVAL_S: Final = 1.0
PROBE_TIMEOUT_S: Final = 15.0
"""An engine that has not answered for so long hangs, and is killed."""
STABLE_AFTER_S: Final = 10.0
BACK_OFF_S: Final = (0.0, 0.0, 0.05, 0.1, 0.2, 0.4)
"""The pause before the n-th start in a row; the last one repeats."""

log = structlog.get_logger("database.engine")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine reaches PostgreSQL. Times are seconds, except `slow_query_ms`."""

    url: str
    pool_size: int = 10
    pool_timeout_s: float = 5.0
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 2.0
    max_waiting: int = 200
    """Calls and transactions that may wait for a connection; the next is refused at once."""
    transaction_timeout_s: float = 5.0
    transaction_max_wait_s: float = 2.0
    slow_query_ms: float = 200.0
    client: str | None = None
    """Module of another generated JavaScript client than the project's own."""

    def configuration(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "poolSize": self.pool_size,
            "poolTimeout": round(self.pool_timeout_s * 1000),
            "statementTimeout": round(self.statement_timeout_s * 1000),
            "lockTimeout": round(self.lock_timeout_s * 1000),
            # For an engine that stopped without its connections being closed: nobody shall wait for its locks.
            "idleTimeout": round(self.statement_timeout_s * 1000),
            "client": self.client,
        }


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How the engine is; connections of the pool are counted as of the last probe, a second ago at most."""

    alive: bool
    pid: int | None
    in_flight: int
    restarts: int
    pool_total: int = 0
    pool_idle: int = 0
    pool_waiting: int = 0


class Engine(AsyncAbstractEngine):
    """One engine process for this Python process, restarted for as long as it is wanted."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._process: EngineProcess | None = None
        self._ready = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._last_failure: str | None = None
        self._restarts = 0
        self._pool: dict[str, Any] = {}
        self._admission = Admission(options.pool_size, options.max_waiting)
        self._transactions: set[str] = set()

    @property
    def status(self) -> EngineStatus:
        process = self._process
        return EngineStatus(
            alive=process is not None,
            pid=process.pid if process is not None else None,
            in_flight=process.connection.in_flight if process is not None else 0,
            restarts=self._restarts,
            pool_total=self._pool.get("poolTotal", 0),
            pool_idle=self._pool.get("poolIdle", 0),
            pool_waiting=self._pool.get("poolWaiting", 0) + self._admission.waiting,
        )

    async def ping(self) -> None:
        """Return when the engine process answers; PostgreSQL is not asked."""
        await self._request({"op": "stats"})

    async def connect(self, timeout: timedelta = timedelta(seconds=10), datasources: object = None) -> None:
        """Start the engine. Raises EngineUnavailable when it is not ready within `timeout`."""
        if self._supervisor is not None:
            return
        self._supervisor = asyncio.create_task(self._supervise(), name="engine supervisor")
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._ready.wait()
        except BaseException as error:
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise EngineUnavailable(
                    self._last_failure or "The database engine did not start in time."
                ) from None
            raise

    def close(self, *, timeout: timedelta | None = None) -> None:
        """For a client that is dropped without `disconnect()`: end the process without waiting for it."""
        if self._process is not None:
            self._process.kill()

    async def aclose(self, *, timeout: timedelta | None = None) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    async def execute(
        self, operation: str, model: str | None, arguments: dict[str, Any], *, tagged: bool, tx: str | None
    ) -> Any:
        """Run one operation of Prisma's client and return its JSON result.

        Raises the classes of `prisma.errors` and of `core.database.errors`.
        """
        request = {"op": operation, "model": model, "args": arguments, "tx": tx}
        _, payload = await self._measured(request, TAGGED if tagged else PLAIN)
        return orjson.loads(payload)

    async def query_text(self, sql: str, parameters: Any, *, tagged: bool, tx: str | None) -> bytes | None:
        """The only column of the only row, as it is. Raises as `execute`."""
        request = {"op": "queryText", "args": {"query": sql, "parameters": parameters}, "tx": tx}
        kind, payload = await self._measured(request, TAGGED if tagged else PLAIN)
        return None if kind == NOTHING else payload

    async def _measured(self, request: dict[str, Any], kind: int) -> tuple[int, bytes]:
        model, operation = request.get("model"), request["op"]
        started = time.perf_counter()
        try:
            if request["tx"] is not None:
                return await self._send(request, kind)
            with self._admission.single_call():
                return await self._send(request, kind)
        except Exception as error:
            metrics.QUERY_ERRORS.labels(type(error).__name__).inc()
            raise
        finally:
            seconds = time.perf_counter() - started
            metrics.query_seconds(model or "raw", operation).observe(seconds)
            meter = current_meter.get()
            if meter is not None:
                meter.queries += 1
                meter.seconds += seconds
            if seconds * 1000 >= self.options.slow_query_ms:
                log.warning(
                    "database.slow_query", model=model, operation=operation, ms=round(seconds * 1000, 1)
                )

    async def start_transaction(self, *, content: str) -> TransactionId:
        limits = orjson.loads(content)
        return await self.begin(timeout_ms=limits["timeout"], max_wait_ms=limits["max_wait"])

    async def begin(
        self, *, timeout_ms: int, max_wait_ms: int, isolation: str | None = None
    ) -> TransactionId:
        """Open a transaction that rolls back by itself after `timeout_ms`.

        Raises PoolExhausted when no connection was free within `max_wait_ms`.
        """
        started = time.perf_counter()
        await self._admission.begin(max_wait_ms / 1000)
        left_ms = max(max_wait_ms - round((time.perf_counter() - started) * 1000), 1)
        options: dict[str, Any] = {"timeout": timeout_ms, "maxWait": left_ms}
        if isolation is not None:
            options["isolationLevel"] = isolation
        # A caller that gives up while the transaction is being opened must not leave it open.
        opening = asyncio.ensure_future(self._request({"op": "begin", "args": options}))
        opening.add_done_callback(self._opened)
        try:
            identifier = TransactionId(await asyncio.shield(opening))
        except asyncio.CancelledError:
            opening.add_done_callback(self._abandon)
            raise
        metrics.BEGIN_SECONDS.observe(time.perf_counter() - started)
        return identifier

    async def commit_transaction(self, tx_id: TransactionId) -> None:
        await self._end(tx_id, "commit")

    async def rollback_transaction(self, tx_id: TransactionId) -> None:
        await self._end(tx_id, "rollback")

    async def _end(self, tx_id: str, how: str) -> None:
        try:
            await self._request({"op": how, "tx": tx_id})
        finally:
            if tx_id in self._transactions:
                self._transactions.remove(tx_id)
                self._admission.end()

    async def query(self, content: str, *, tx_id: TransactionId | None) -> NoReturn:
        raise NotSupported("Queries reach this engine through the typed client only, not as GraphQL text.")

    async def metrics(self, **options: object) -> NoReturn:
        raise NotSupported("The engine's figures are part of GET /metrics.")

    def _opened(self, opening: "asyncio.Future[Any]") -> None:
        """The turn lasts until the transaction ends; at once where it did not begin."""
        if opening.cancelled() or opening.exception() is not None:
            self._admission.end()
        else:
            self._transactions.add(opening.result())

    def _abandon(self, opening: "asyncio.Future[Any]") -> None:
        if not opening.cancelled() and opening.exception() is None:
            task = asyncio.ensure_future(self.rollback_transaction(opening.result()))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _request(self, request: dict[str, Any]) -> Any:
        _, payload = await self._send(request, PLAIN)
        return orjson.loads(payload)

    async def _send(self, request: dict[str, Any], kind: int) -> tuple[int, bytes]:
        """The reply's kind and its payload. Raises what an error reply tells."""
        process = self._process
        if process is None or not process.connection.is_open:
            process = await self._wait_for_process()
        reply, payload = await process.connection.send(orjson.dumps(request), kind)
        if reply == ERROR:
            error = engine_error(orjson.loads(payload))
            raise refused("timeout") if isinstance(error, PoolExhausted) else error
        return reply, payload

    async def _wait_for_process(self) -> EngineProcess:
        if self._supervisor is None:
            raise EngineUnavailable("The database client is not connected.")
        try:
            async with asyncio.timeout(RESTART_WAIT_S):
                while True:
                    await self._ready.wait()
                    process = self._process
                    if process is not None and process.connection.is_open:
                        return process
                    # The supervisor is about to notice that this one has gone.
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
                process = await EngineProcess.start(self.options.configuration())
            except EngineUnavailable as error:
                failures += 1
                self._last_failure = error.message
                log.error("engine.start_failed", reason=error.message, failures=failures)
                continue
            try:
                await self._serve(process)
            finally:
                self._process = None
                self._ready.clear()
                await process.stop()
            failures = 1 if time.monotonic() - started > STABLE_AFTER_S else failures + 1
            self._restarts += 1
            metrics.RESTARTS.inc()
            log.warning("engine.died", pid=process.pid, restarts=self._restarts)

    async def _serve(self, process: EngineProcess) -> None:
        """Let requests through until the connection closes, asking every second how the engine is."""
        self._process = process
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
            before, self._pool = self._pool, orjson.loads(payload)
            metrics.record_pool(
                self._pool,
                before if before.get("pid") == process.pid else {},
                in_flight=process.connection.in_flight,
                waiting=self._admission.waiting,
            )
            await asyncio.wait([closed], timeout=PROBE_INTERVAL_S)
