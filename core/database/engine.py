"""Engine of the typed client, in the place of its query engine binary.

Calls in flight when the engine process dies fail with EngineUnavailable, because nobody can know whether they
were done; calls that arrive meanwhile wait a little for the new process.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

import orjson
import structlog
from opentelemetry import propagate
from prisma._types import TransactionId
from prisma.engine import AsyncAbstractEngine
from prisma.errors import PrismaError

from core.database import metrics
from core.database.errors import PROBLEMS, NotSupported, PoolExhausted, engine_error
from core.database.process import ERROR, NOTHING, PLAIN, TAGGED, EngineOptions, EngineStatus
from core.database.supervisor import Supervisor
from core.database.writes import Writes

log = structlog.get_logger("database.engine")


class Admission:
    """Admission to one pool. Counts what holds or waits for a connection: single calls, and transactions from
    before they open until they have ended. Calls inside a transaction have its connection and are not
    counted.

    Transactions hold their connection while Python works, so they may have all of the pool but a fifth (but
    one of a pool of less than ten): however many there are, single calls find connections that soon become
    free.
    """

    def __init__(self, size: int, max_waiting: int) -> None:
        self._limit = size + max_waiting
        self._present = 0
        self._turns = asyncio.Semaphore(max(1, size - max(1, size // 5)))
        self.waiting = 0
        """Number of transactions that wait for their turn; they have not asked the engine yet."""

    @contextlib.contextmanager
    def single_call(self) -> Iterator[None]:
        """Admission of a single call. Raises PoolExhausted at once when DB_MAX_WAITING others wait."""
        self._enter()
        try:
            yield
        finally:
            self._present -= 1

    async def begin(self, max_wait_s: float) -> None:
        """Wait for a transaction's turn; `end` has to follow. Raises PoolExhausted."""
        self._enter()
        self.waiting += 1
        try:
            async with asyncio.timeout(max_wait_s):
                await self._turns.acquire()
        except BaseException as error:
            self._present -= 1
            if isinstance(error, TimeoutError):
                raise refused("timeout") from None
            raise
        finally:
            self.waiting -= 1

    def end(self) -> None:
        self._present -= 1
        self._turns.release()

    def _enter(self) -> None:
        if self._present >= self._limit:
            raise refused("full")
        self._present += 1


def refused(reason: str) -> PoolExhausted:
    metrics.REFUSED.labels(reason).inc()
    return PoolExhausted(PROBLEMS["P2024"][1])


class Engine(AsyncAbstractEngine):
    """Engine of one Python process: a child process, restarted as long as it is wanted."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._supervisor = Supervisor(options.configuration(), self._record)
        self._stats: Mapping[str, Any] = {}
        self._admission = Admission(options.pool_size, options.max_waiting)
        self._transactions: dict[str, asyncio.TimerHandle] = {}
        """Open transactions, each with the timer that ends it when nobody else has."""
        self.writes = Writes()
        self._met: set[tuple[str | None, str]] = set()
        """Models with operations that have been run."""

    @property
    def status(self) -> EngineStatus:
        process = self._supervisor.process
        return EngineStatus(
            pid=process.pid if process is not None else None,
            in_flight=process.connection.in_flight if process is not None else 0,
            restarts=self._supervisor.restarts,
            pool_total=self._stats.get("poolTotal", 0),
            pool_waiting=self._stats.get("poolWaiting", 0) + self._admission.waiting,
        )

    async def ping(self) -> None:
        """Return when the engine process answers; PostgreSQL is not asked."""
        await self._request({"op": "stats"})

    async def follow(self, sql: str, parameters: Sequence[str], *, anew: bool) -> Any:
        """The JSON that a statement gives as its one value, on the connection that belongs to nothing else:
        `anew` makes it. Raises when it was lost.
        """
        arguments = {"sql": sql, "parameters": parameters, "anew": anew}
        return await self._request({"op": "follow", "args": arguments})

    async def recycle(self) -> None:
        """Have the pool close the connections that it has, those in use when they are given back."""
        await self._request({"op": "recycle"})

    async def connect(self, timeout: timedelta = timedelta(seconds=10), datasources: object = None) -> None:
        """Start the engine. Raises EngineUnavailable when it is not ready within `timeout`."""
        await self._supervisor.start(timeout)

    def close(self, *, timeout: timedelta | None = None) -> None:
        """End the process without waiting for it, for a client that is dropped without `disconnect()`."""
        if self._supervisor.process is not None:
            self._supervisor.process.kill()

    async def aclose(self, *, timeout: timedelta | None = None) -> None:
        await self._supervisor.stop()

    async def execute(
        self,
        operation: str,
        model: str | None,
        arguments: dict[str, Any],
        *,
        tagged: bool,
        context: Mapping[str, Any],
    ) -> bytes | None:
        """Run one operation of Prisma's client and return its result: JSON, or the text of `queryText` and of
        a projected read as it is, None where there is none. `context` is added by the client to each call:
        `tx` and `author`, and a `projection`. Raises the classes of `prisma.errors` and of
        `core.database.errors`.
        """
        request = {"op": operation, "model": model, "args": arguments, **context}
        kind, payload = await self._measured(request, TAGGED if tagged else PLAIN)
        return None if kind == NOTHING else payload

    async def _measured(self, request: dict[str, Any], kind: int) -> tuple[int, bytes]:
        model, operation = request["model"], request["op"]
        started, query = time.perf_counter(), (model, operation)
        warm = query in self._met
        try:
            propagate.inject(request)
            if "tx" in request:
                return await self._send(request, kind)
            with self._admission.single_call():
                return await self._send(request, kind)
        except Exception as error:
            metrics.QUERY_ERRORS.labels(type(error).__name__).inc()
            raise
        finally:
            seconds = time.perf_counter() - started
            metrics.query_seconds(model or "raw", operation).observe(seconds)
            meter = metrics.current_meter.get()
            if meter is not None:
                meter.queries += 1
                meter.seconds += seconds
            # The first of a kind also opens the connection, loads the engine's code and compiles its plan.
            if warm and seconds * 1000 >= self.options.slow_query_ms:
                log.warning(
                    "database.slow_query", model=model, operation=operation, ms=round(seconds * 1000, 1)
                )
            self._met.add(query)

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
        opening = asyncio.ensure_future(self._open(options))
        opening.add_done_callback(partial(self._opened, timeout_s=timeout_ms / 1000))
        try:
            identifier = await asyncio.shield(opening)
        except asyncio.CancelledError:
            if not opening.cancel() and opening.exception() is None:
                self._roll_back(opening.result())
            raise
        metrics.BEGIN_SECONDS.observe(time.perf_counter() - started)
        return identifier

    async def commit_transaction(self, tx_id: TransactionId) -> None:
        try:
            await self._end(tx_id, "commit")
        except BaseException as error:
            self.writes.failed(error)
            raise
        finally:
            await self.writes.committed(tx_id)

    async def rollback_transaction(self, tx_id: TransactionId) -> None:
        self.writes.rolled_back(tx_id)
        await self._end(tx_id, "rollback")

    async def _end(self, tx_id: str, how: str) -> None:
        if tx_id in self._transactions:
            self._transactions[tx_id].cancel()
        try:
            await self._request({"op": how, "tx": tx_id})
        finally:
            if self._transactions.pop(tx_id, None) is not None:
                self._admission.end()

    async def query(self, content: str, *, tx_id: TransactionId | None) -> NoReturn:
        raise NotSupported("Queries reach this engine through the typed client only, not as GraphQL text.")

    async def metrics(self, **options: object) -> NoReturn:
        raise NotSupported("The engine's figures are part of GET /metrics.")

    async def _open(self, options: dict[str, Any]) -> TransactionId:
        """Open a transaction. When cancelled, it waits until none has begun, or that one is rolled back."""
        connection = await self._supervisor.connection()
        reply = connection.send(orjson.dumps({"op": "begin", "args": options}))
        try:
            return TransactionId(orjson.loads(_result(*await asyncio.shield(reply))))
        except asyncio.CancelledError:
            connection.leave(reply)
            with contextlib.suppress(PrismaError):
                await self._request({"op": "rollback", "tx": orjson.loads(_result(*await reply))})
            raise

    def _opened(self, opening: "asyncio.Future[Any]", *, timeout_s: float) -> None:
        """Release the admission of a transaction that did not begin; set the timer of one that did, which
        ends it if its caller has dropped it.
        """
        if opening.cancelled() or opening.exception() is not None:
            self._admission.end()
        else:
            loop, identifier = asyncio.get_running_loop(), opening.result()
            self._transactions[identifier] = loop.call_later(timeout_s, self._roll_back, identifier)

    def _roll_back(self, identifier: TransactionId) -> None:
        task = asyncio.ensure_future(self.rollback_transaction(identifier))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _request(self, request: dict[str, Any]) -> Any:
        _, payload = await self._send(request, PLAIN)
        return orjson.loads(payload)

    async def _send(self, request: dict[str, Any], kind: int) -> tuple[int, bytes]:
        """Kind and payload of the reply. Raises the exception of an error reply."""
        connection = await self._supervisor.connection()
        sent = connection.send(orjson.dumps(request), kind)
        try:
            reply, payload = await sent
        except asyncio.CancelledError:
            connection.leave(sent)
            raise
        return reply, _result(reply, payload)

    def _record(self, stats: Mapping[str, Any]) -> None:
        before, self._stats = self._stats, stats
        metrics.record_pool(
            stats,
            before if before.get("pid") == stats["pid"] else {},
            in_flight=self.status.in_flight,
            waiting=self._admission.waiting,
        )


def _result(reply: int, payload: bytes) -> bytes:
    if reply == ERROR:
        error = engine_error(orjson.loads(payload))
        raise refused("timeout") if isinstance(error, PoolExhausted) else error
    return payload
