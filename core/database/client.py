"""Typed Prisma client of the project, on the supervised engine."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType, Self

import orjson
from prisma import Prisma, PrismaMethod
from prisma._base_client import AsyncBasePrisma, BasePrisma
from prisma.client import Batch
from prisma.errors import FieldNotFoundError
from pydantic import BaseModel

from core.database.arguments import OPERATIONS, Encoder, JsonObject, call_arguments, raw_rows
from core.database.engine import Engine
from core.database.process import EngineOptions
from core.database.projection import current_projection
from core.database.selection import missing_relation
from core.database.writes import NOTHING_WRITTEN, WRITING, Tell, Write
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Author:
    """Author of a change: a request's actor, a command's user, the one who enqueued a job. `client` is the
    address that a request came from.
    """

    name: str
    request_id: str | None = None
    client: str | None = None


class EngineClient(AsyncBasePrisma):
    """Mixin of a generated client that sends every call to an `Engine` instead of a query engine binary."""

    def __init__(self, options: EngineOptions, **client_options: Any) -> None:
        super().__init__(**{**client_options, "use_dotenv": False})
        self._options = options
        self._author: str | None = None
        self._original: Self | None = None

    @property
    def engine(self) -> Engine:
        """Engine of the client. Raises ClientNotConnectedError before `connect()`."""
        engine = self._engine
        assert isinstance(engine, Engine)
        return engine

    async def query_text(self, sql: str, *parameters: object) -> bytes | None:
        """Run a query that gives at most one row of one text column, such as JSON that PostgreSQL built, and
        return that text as UTF-8: it is neither parsed nor escaped on the way. None: no row, or NULL.

        PostgreSQL infers the parameters' types from the statement, so write a cast where it cannot
        (`$1::int`, `$1::jsonb` for JSON text, `$1::timestamptz` for `isoformat()` text, `$1::uuid`,
        `$1::text[]` for a list of texts); None is NULL. `json_build_object(...)::text` casts the result.
        """
        encoder = Encoder()
        arguments = {"query": sql, "parameters": encoder.encode(parameters)}
        return await self.engine.execute(
            "queryText", None, arguments, tagged=encoder.tagged, context=self._context()
        )

    def acting_as(self, author: Author, action: str | None = None) -> Self:
        """Client for changes by `author`: the audit entries that PostgreSQL writes of them name him. `action`
        replaces the entries' created, updated or deleted. Raw statements run in a transaction.
        """
        facts = {"author": author.name, "request_id": author.request_id, "client": author.client}
        client = self._copy()
        client._author = orjson.dumps({**facts, "action": action}).decode()
        return client

    def bound_to(self, transaction: str) -> Self:
        """Client inside an open transaction."""
        client = self._copy()
        client._tx_id = transaction  # type: ignore[assignment]  # upstream has None there
        return client

    async def execute_batch(self, calls: list[JsonObject], writes: Sequence[Write], *, tagged: bool) -> None:
        """Run the calls of a batch: all of them or none. Raises as a single call does."""
        async with self.telling(writes):
            await self.engine.execute("batch", None, {"calls": calls}, tagged=tagged, context=self._context())

    def tell_writes_to(self, tell: Tell, doubt: Callable[[], None] | None = None) -> None:
        """Set the callback that gets the writes of typed calls, after they are committed and before their
        callers go on; also when the outcome is unknown, after `doubt`. Raw statements are not reported, nor
        are rows of other models that a call writes along with its own.
        """
        self.engine.writes.tell, self.engine.writes.doubt = tell, doubt

    @asynccontextmanager
    async def telling(self, writes: Sequence[Write]) -> AsyncIterator[None]:
        """Report what the block writes, once committed; also when its outcome is unknown."""
        try:
            yield
        except BaseException as error:
            if writes and self.engine.writes.failed(error):
                await self.engine.writes.done(writes, self._tx_id)
            raise
        if writes:
            await self.engine.writes.done(writes, self._tx_id)

    def _copy(self) -> Self:
        """Copy of the client, made for every write: it gets the actions of a model, which hold their client,
        when they are first used.
        """
        client = object.__new__(type(self))
        for name in BasePrisma.__slots__:
            setattr(client, name, getattr(self, name))
        vars(client).update(vars(self))
        client._original = self._original or self
        client._copied = True
        return client

    def __getattr__(self, name: str) -> Any:
        original = vars(self).get("_original")
        if original is None or name.startswith("_"):
            raise AttributeError(f"The client has no {name!r}", name=name, obj=self)
        actions = copy(getattr(original, name))
        actions._client = self
        setattr(self, name, actions)
        return actions

    def _context(self) -> dict[str, Any]:
        """Context that every call sends beside its arguments."""
        told = {"tx": self._tx_id, "author": self._author}
        return {name: value for name, value in told.items() if value is not None}

    def _create_engine(self, dml_path: Path | None = None) -> Engine:
        return Engine(self._options)

    async def _execute(
        self,
        *,
        method: PrismaMethod,
        arguments: dict[str, Any],
        model: type[BaseModel] | None = None,
        root_selection: list[str] | None = None,
    ) -> dict[str, Any]:
        encoded, tagged = call_arguments(method, arguments, model, root_selection)
        operation = OPERATIONS[method]
        raw = operation == "queryRaw"
        name = None if raw or model is None else model.__prisma_model__  # type: ignore[attr-defined]
        context = self._context()
        projection = current_projection.get()
        if projection is not None:
            if projection.counting:
                return {"data": {"result": projection.count(operation, name, encoded)}}
            context["projection"] = projection.ask(method, encoded)
        writes = [write_of(method, name, arguments)] if name is not None and method in WRITING else []
        try:
            async with self.telling(writes):
                payload = await self.engine.execute(operation, name, encoded, tagged=tagged, context=context)
                if payload in NOTHING_WRITTEN:
                    writes.clear()
        except FieldNotFoundError as error:
            missing = None if model is None else missing_relation(error, model, arguments)
            raise missing or error from None
        if projection is not None:
            projection.text = payload
            return {"data": {"result": []}}
        result = orjson.loads(payload or b"null")
        if raw:
            result = raw_rows(result, model)
        elif method == "count":
            result = {"_count": result}
        elif method == "group_by":
            for row in result:
                # A whole average comes as an integer, that of decimals as text.
                averages = row.get("_avg", {})
                averages |= {name: float(value) for name, value in averages.items() if value is not None}
        return {"data": {"result": result}}


class EngineBatch:
    """Mixin of a generated `Batch` that sends the calls in one frame, for one transaction."""

    def __init__(self, client: EngineClient) -> None:
        super().__init__(client=client)  # type: ignore[call-arg]
        self._database = client
        self._calls: list[JsonObject] = []
        self._tagged = False
        self._writes: list[Write] = []

    def _add(self, **call: Any) -> None:
        method, model = call["method"], call.get("model")
        encoded, tagged = call_arguments(method, call["arguments"], model, call.get("root_selection"))
        name = None if model is None else model.__prisma_model__
        self._calls.append({"op": OPERATIONS[method], "model": name, "args": encoded})
        if name is not None and method in WRITING:
            self._writes.append(write_of(method, name, call["arguments"]))
        self._tagged = self._tagged or tagged

    async def commit(self) -> None:
        calls, self._calls = self._calls, []
        tagged, self._tagged = self._tagged, False
        writes, self._writes = self._writes, []
        await self._database.execute_batch(calls, writes, tagged=tagged)


class DatabaseBatch(EngineBatch, Batch):
    """Batch: `batch.item.create(...)` and so on, until `await batch.commit()` or the end of `async with`."""


class Database(EngineClient, Prisma):
    """Typed client of Prisma Client Python: `db.item.find_many(...)` and so on, fields in snake_case."""

    def batch_(self) -> DatabaseBatch:
        return DatabaseBatch(self)

    def acting_as(self, author: Author, action: str | None = None) -> "AuthoredDatabase":
        return AuthoredDatabase(super().acting_as(author, action))

    @classmethod
    def from_settings(cls, settings: Settings, *, origin: str | None = None) -> Self:
        """A client, not connected yet: `await db.connect()`, and `await db.disconnect()` at the end."""
        assert settings.database_url is not None  # that of the embedded one, where none is set
        return cls(
            EngineOptions(
                url=settings.database_url,
                pool_size=settings.db_pool_size,
                pool_timeout_s=settings.db_pool_timeout_s,
                statement_timeout_s=settings.db_statement_timeout_s,
                lock_timeout_s=settings.db_lock_timeout_s,
                max_waiting=settings.db_max_waiting,
                transaction_timeout_s=settings.db_transaction_timeout_s,
                transaction_max_wait_s=settings.db_transaction_max_wait_s,
                slow_query_ms=settings.slow_query_ms,
                projected_reads=settings.db_projected_reads,
                origin=origin,
            )
        )


AuthoredDatabase = NewType("AuthoredDatabase", Database)
"""Client for changes by an author: a type of its own, so that what writes in a name takes no other one."""


def write_of(method: PrismaMethod, model: str, arguments: Mapping[str, Any]) -> Write:
    """Write of a call, from its arguments as slices pass them."""
    updates = {"update": "data", "update_many": "data", "upsert": "update"}
    updated = arguments.get(updates.get(method, ""))
    return Write(model, method, _ids(method, arguments), frozenset(updated or ()))


def _ids(method: PrismaMethod, arguments: Mapping[str, Any]) -> tuple[str, ...] | None:
    if method in ("create", "create_many"):
        rows = [arguments["data"]] if method == "create" else arguments["data"]
        ids = [row.get("id") for row in rows]
    else:
        wanted = (arguments.get("where") or {}).get("id")
        ids = wanted["in"] if isinstance(wanted, dict) and wanted.keys() == {"in"} else [wanted]
    return tuple(ids) if all(isinstance(each, str) for each in ids) else None
