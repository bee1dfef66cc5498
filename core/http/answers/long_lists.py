"""Spooled lists: those with more rows than a response may hold in memory. The response is written into an
unlinked file first: so it is of one snapshot, its length and ETag are known when it begins, and a slow reader
holds no connection of the database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core.cache import Cache, Entry, Policy, cache_key
from core.database.client import Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.http.answers.conditional import REVALIDATE, cached_response, is_unchanged
from core.http.answers.envelope import list_body, list_ends, text_entry
from core.http.answers.pagination import check_start
from core.http.answers.projection import Projected
from core.http.request.context import context_of

LONG: Final = 5_000
"""Upper bound of a list that is held in memory, and cached, in rows."""
PAGE: Final = 200
"""Number of rows that are read at once."""
WITHIN: Final = timedelta(minutes=2)
"""Timeout for reading all rows."""
MOST: Final = 8
"""Upper bound of spooled responses of one process: each takes disk space while its client reads."""
_BLOCK: Final = 262_144


class ListQuery(Protocol):
    """Query of a list. A page begins behind a cursor or an offset."""

    @property
    def cursor(self) -> str | None: ...

    @property
    def offset(self) -> int | None: ...

    def model_dump(self) -> dict[str, Any]: ...


Query = TypeVar("Query", bound=ListQuery)


class LongList(Exception):
    """The list is not to be held in memory: `spooled_list` makes the response."""


class Spool:
    """Rows of a list in an unlinked file in `folder`."""

    open: ClassVar[int] = 0
    """Spools of this process."""

    def __init__(self, folder: Path) -> None:
        if Spool.open >= MOST:
            raise Unavailable("Other complete lists are being sent; ask for pages with limit, or again later")
        self.file = TemporaryFile(dir=folder)  # noqa: SIM115 - until it is sent
        self.count = self.size = 0
        self._between = b""
        self._digest = blake2b(digest_size=12)
        Spool.open += 1

    async def write(self, rows: Projected) -> None:
        if rows.count:
            await self.add(self._between + rows.json)
            self.count += rows.count
            self._between = b","

    async def add(self, text: bytes) -> None:
        """Bytes between lists of rows."""
        self._digest.update(text)
        self.size += len(text)
        self._between = b""
        await asyncio.to_thread(self.file.write, text)

    def etag(self, total: int) -> str:
        digest = self._digest.copy()
        digest.update(b"%d" % total)
        return f'W/"{digest.hexdigest()}"'

    def close(self) -> None:
        if not self.file.closed:
            self.file.close()
            Spool.open -= 1


@dataclass(frozen=True, slots=True)
class Listing(Generic[Query]):
    """A list that is asked for in pages or, without a size, whole: `page(db, query, cursor, offset, size)`
    reads a page from there on, `count(db, query)` tells how many rows match in all. One of more than `held`
    rows is not held in memory. `bare`: a JSON array, of the rows alone.
    """

    page: Callable[[Database, Query, str | None, int, int], Awaitable[Projected]]
    count: Callable[[Database, Query], Awaitable[int]]
    held: int = LONG
    bare: bool = False

    async def body(self, db: Database, query: Query, size: int | None) -> bytes:
        """The answer, of the model `ListEnvelope` or bare. Raises LongList; Invalid for two beginnings."""
        check_start(query.cursor, query.offset)
        rows = await self.page(db, query, query.cursor, query.offset or 0, size or self.held)
        if size is None and rows.next_cursor is not None:
            raise LongList
        if self.bare:
            return b"[%b]" % rows.json
        # A first page may show every row that matches.
        is_all = not query.offset and query.cursor is None and rows.next_cursor is None
        total = rows.count if is_all else rows.total
        return list_body(rows, await self.count(db, query) if total is None else total)

    async def pages(self, db: Database, query: Query) -> AsyncIterator[Projected]:
        """Every row that is asked for."""
        rows = await self.page(db, query, query.cursor, query.offset or 0, PAGE)
        yield rows
        while rows.next_cursor is not None:
            rows = await self.page(db, query, rows.next_cursor, 0, PAGE)
            yield rows

    async def fill(self, db: Database, query: Query, spool: Spool) -> int:
        """With every row that is asked for; returns how many match in all."""
        async for rows in self.pages(db, query):
            await spool.write(rows)
        return await self.count(db, query) if query.cursor or query.offset else spool.count

    async def answer(
        self, request: Request, db: Database, cache: Cache, policy: Policy, query: Query, size: int | None
    ) -> Response:
        """From the cache, or read; spooled when it is too long for either."""

        async def load() -> Entry:
            return await text_entry(await self.body(db, query, size))

        try:
            key = cache_key(**query.model_dump())
            return await cached_response(request, cache, policy, key, load)
        except LongList:
            ends = (b"[", b"]") if self.bare else None
            return await spooled_list(request, db, lambda tx, spool: self.fill(tx, query, spool), ends)


async def spooled_list(
    request: Request,
    db: Database,
    write: Callable[[Database, Spool], Awaitable[int]],
    ends: tuple[bytes, bytes] | None = None,
) -> Response:
    """`write(tx, spool)` writes every row, in one snapshot, and returns how many there are in all (`total`).
    `ends` stand before and behind them, else those of a `ListEnvelope`.

    Raises Unavailable when there is no room for it, and PreconditionFailed.
    """
    context = context_of(request.scope)
    platform = context.platform
    assert platform is not None  # the app has started
    folder = platform.settings.data_dir

    with ExitStack() as unsent:

        async def spooled(tx: Database) -> tuple[Spool, int]:
            unsent.close()  # what an attempt before this one has written
            try:
                spool = unsent.enter_context(closing(Spool(folder)))
                return spool, await write(tx, spool)
            except OSError as error:
                raise Unavailable(f"The list cannot be stored before it is sent: {error.strerror}") from error

        spool, total = await unit_of_work(db, spooled, isolation="RepeatableRead", timeout=WITHIN)
        etag = spool.etag(total)
        headers = {"ETag": etag, "Cache-Control": REVALIDATE, "X-Cache": "BYPASS"}
        if is_unchanged(context, etag):
            return Response(status_code=304, headers={**headers, "Vary": "Accept-Encoding"})
        unsent.pop_all()
    return _SpooledResponse(spool, ends or list_ends(spool.count, total), headers)


class _SpooledResponse(StreamingResponse):
    def __init__(self, spool: Spool, ends: tuple[bytes, bytes], headers: dict[str, str]) -> None:
        length = spool.size + sum(map(len, ends))
        headers = {**headers, "Content-Length": str(length)}
        super().__init__(_blocks(spool, *ends), headers=headers, media_type="application/json")
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with closing(self._spool):
            await super().__call__(scope, receive, send)


async def _blocks(spool: Spool, head: bytes, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    spool.file.seek(0)
    while block := await asyncio.to_thread(spool.file.read, _BLOCK):
        yield block
    yield tail
