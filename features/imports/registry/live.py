"""Reader of the old registry's running database with asyncpg: PostgreSQL in one snapshot, QuestDB page by
page.

QuestDB speaks PostgreSQL's protocol but has neither transactions nor cursors that can be relied on. Its
tables only grow, so pages in the order of `ts` or `designated_timestamp` are whole, and files are read before
ideas and ideas before systems, so that whatever a row refers to is there. Errors never repeat the URL: it may
hold a password.
"""

import math
import os
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

import asyncpg

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry.capture import Page, json_line, row_line
from features.imports.registry.stores import designated
from features.imports.registry.tables import AUDIT, TABLES
from features.imports.schemas import Table

if TYPE_CHECKING:
    from typing import TypeAlias

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

PAGE_ROWS: Final = 1000
CONNECT_S: Final = 10.0
QUERY_S: Final = 300.0
_QUESTDB_PORT: Final = 8812
_UNUSABLE: Final = "The address is no usable postgresql:// URL"
_ABSENT: Final = re.compile(r"does not exist")

_ONLY_PRISMAS: Final = frozenset(
    [
        "connect_timeout",
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "socket_timeout",
        "sslaccept",
        "sslidentity",
        "sslpassword",
        "statement_cache_size",
    ]
)
"""URL parameters that only Prisma knows."""


def is_url(source: str) -> bool:
    return source.startswith(("postgresql://", "postgres://"))


def guessed_source(source: str) -> Literal["questdb", "postgres"]:
    """Kind of a source, guessed from a folder or URL. Raises SourceUnavailable."""
    return "postgres" if is_url(source) and _parts_of(source).port != _QUESTDB_PORT else "questdb"


def label_of(url: str) -> str:
    """Label of the source, safe to show and store: host, port and database. Raises SourceUnavailable."""
    parts = _parts_of(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or 'localhost'}{port}{parts.path.rstrip('/')}"[:200]


def _parts_of(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read from the URL only now
    except ValueError:
        raise SourceUnavailable(_UNUSABLE) from None
    return parts


async def pages_of(source: str, url: str) -> AsyncGenerator[Page, None]:
    """The tables that exist. Raises SourceUnavailable, SourceMalformed."""
    async with _connected(source, url) as connection:
        async for page in _snapshot(connection) if source == "postgres" else _in_order(connection):
            yield page


async def _snapshot(connection: Connection) -> AsyncIterator[Page]:
    """All tables in one snapshot. PostgreSQL itself writes rows as JSON: no type needs to be known here."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for table in TABLES:
            if await connection.fetchval("SELECT to_regclass($1)::text", table) is None:
                continue
            columns = await _columns_of(connection, table)
            query = f"SELECT row_to_json(source)::text FROM {table} AS source"
            if table == AUDIT:
                query += f" ORDER BY {designated(table, columns)}, ctid"
            cursor, page = await connection.cursor(query), Page(table, columns, ())
            yield page
            while rows := await cursor.fetch(PAGE_ROWS):
                # Between tokens of a JSON column there may be line breaks; inside of strings there are none.
                texts = (row[0].replace("\n", " ").replace("\r", " ") for row in rows)
                yield page._replace(lines=map(json_line, texts))


async def _in_order(connection: Connection) -> AsyncIterator[Page]:
    for table in reversed(TABLES):
        try:
            known = await connection.fetchval(f"SELECT count(*) FROM {table}")
        except asyncpg.PostgresError as error:
            if not _ABSENT.search(str(error)):
                raise
            continue
        columns, rows = await _columns_of(connection, table), 0
        order = designated(table, columns)
        async for records in _pages(connection, table, order):
            rows += len(records)
            plain = ({name: _plain(value) for name, value in record.items()} for record in records)
            yield Page(table, columns, map(row_line, plain))
        if rows < known:
            raise SourceMalformed(
                f"{table} gave {rows} of its {known} rows: {order} is null in the others; "
                "export it with /exp instead",
                offset=0,
            )


async def _columns_of(connection: Connection, table: Table) -> list[str]:
    # An unnamed statement, like all that are sent to QuestDB.
    statement = await connection.prepare(f"SELECT * FROM {table} LIMIT 0", name="")
    return [attribute.name for attribute in statement.get_attributes()]


async def _pages(connection: Connection, table: Table, order: str) -> AsyncIterator[list[asyncpg.Record]]:
    """Pages of a table. The last moment of a full page is left to the next page, so that none is split."""
    after: datetime | None = None
    limit = PAGE_ROWS
    while True:
        where = "" if after is None else f" WHERE {order} > '{after:%Y-%m-%dT%H:%M:%S.%f}Z'"
        page = await connection.fetch(f"SELECT * FROM {table}{where} ORDER BY {order} LIMIT {limit}")
        if len(page) < limit:
            yield page
            return
        last = _moment(page[-1], table, order)
        whole = [record for record in page if _moment(record, table, order) < last]
        if whole:
            newest = _moment(whole[-1], table, order)
            if after is not None and newest <= after:
                raise SourceMalformed(f"{table} cannot be read in the order of {order}", offset=0)
            yield whole
            after, limit = newest, PAGE_ROWS
        else:
            limit *= 2


def _moment(record: asyncpg.Record, table: Table, order: str) -> datetime:
    moment = record.get(order)
    if not isinstance(moment, datetime):
        raise SourceMalformed(f"{table} has no timestamp {order}; export it with /exp instead", offset=0)
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    """The moment without a zone, which QuestDB's timestamps lack: they are UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _plain(value: object) -> object:
    """Value that JSON can hold."""
    if isinstance(value, datetime):
        return f"{_in_utc(value).isoformat(timespec='microseconds')}Z"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    return str(value)


@asynccontextmanager
async def _connected(source: str, url: str) -> AsyncIterator[Connection]:
    label = label_of(url)
    try:
        connection = await asyncpg.connect(
            timeout=CONNECT_S,
            command_timeout=QUERY_S,
            statement_cache_size=0,
            **(_of_postgres(url) if source == "postgres" else _of_questdb(url)),
        )
    except (ValueError, TypeError, asyncpg.InterfaceError):
        raise SourceUnavailable(_UNUSABLE) from None
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise SourceUnavailable(f"{label} cannot be reached: {_reason(error)}") from None
    try:
        yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SourceUnavailable(f"{label} cannot be read: {_reason(error)}") from None
    finally:
        connection.terminate()


def _of_postgres(url: str) -> dict[str, Any]:
    """Connection to a URL of the old service's own settings: Prisma's `schema` becomes `search_path`, and
    parameters that only Prisma knows are left out.
    """
    parts = urlsplit(url)
    given = [pair for pair in parse_qsl(parts.query) if pair[0] not in _ONLY_PRISMAS]
    query = [("search_path", _quoted(value)) if name == "schema" else (name, value) for name, value in given]
    dsn = parts._replace(query=urlencode(query, quote_via=quote)).geturl()
    return {"dsn": dsn, "server_settings": {"TimeZone": "UTC"}}


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _of_questdb(url: str) -> dict[str, Any]:
    """Connection with the defaults of an unconfigured QuestDB: its port, its user, no encryption."""
    parts = urlsplit(url)
    known = "@" in parts.netloc
    return {
        "dsn": url,
        "host": parts.hostname or "localhost",
        "port": parts.port or _QUESTDB_PORT,
        "user": None if known else "admin",
        "password": None if known or "PGPASSWORD" in os.environ else "quest",
        "database": parts.path.strip("/") or "qdb",
        "ssl": None if "sslmode=" in parts.query else "disable",
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return "the user or the password is wrong"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, asyncpg.PostgresError):
        return str(error).split("\n", 1)[0][:200]
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "the connection failed"
