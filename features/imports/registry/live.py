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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry.capture import Capture
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
_ABSENT: Final = re.compile(r"does not exist")

_ONLY_PRISMAS: Final = frozenset(
    {
        "connect_timeout",
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "socket_timeout",
        "sslaccept",
        "sslidentity",
        "sslpassword",
        "statement_cache_size",
    }
)
"""URL parameters that only Prisma knows."""

Begin = Callable[[Table], Capture]
Tell = Callable[[Table, int], None]


def is_url(source: str) -> bool:
    return source.startswith(("postgresql://", "postgres://"))


def guessed_source(source: str) -> Literal["questdb", "postgres"]:
    """Kind of a source, guessed from a folder or URL. Raises SourceUnavailable."""
    try:
        return "postgres" if is_url(source) and urlsplit(source).port != _QUESTDB_PORT else "questdb"
    except ValueError:
        raise _unusable() from None


def label_of(url: str) -> str:
    """Label of the source, safe to show and store: host, port and database. Raises SourceUnavailable."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        raise _unusable() from None
    return f"{host or 'localhost'}{port}{parts.path.rstrip('/')}"[:200]


async def capture_live(source: str, url: str, begin: Begin, tell: Tell) -> list[Table]:
    """Capture the tables that exist and return those that do not. Raises SourceUnavailable."""
    async with _connected(source, url) as connection:
        if source == "postgres":
            return await _capture_snapshot(connection, begin, tell)
        return await _capture_pages(connection, begin, tell)


async def _capture_snapshot(connection: Connection, begin: Begin, tell: Tell) -> list[Table]:
    """Capture all tables in one snapshot; returns the absent ones. PostgreSQL itself writes the rows as JSON,
    so that no type needs to be known here.
    """
    absent: list[Table] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for table in TABLES:
            if await connection.fetchval("SELECT to_regclass($1)::text", table) is None:
                absent.append(table)
                continue
            capture = begin(table)
            capture.columns = await _columns_of(connection, table)
            query = f"SELECT row_to_json(source)::text FROM {table} AS source"
            if table == AUDIT:
                query += f" ORDER BY {designated(table, capture.columns)}, ctid"
            async for record in connection.cursor(query, prefetch=PAGE_ROWS):
                # Between tokens of a JSON column there may be line breaks; inside of strings there are none.
                capture.add_json(record[0].replace("\n", " ").replace("\r", " "))
                if not capture.rows % PAGE_ROWS:
                    tell(table, capture.rows)
    return absent


async def _capture_pages(connection: Connection, begin: Begin, tell: Tell) -> list[Table]:
    absent: list[Table] = []
    for table in reversed(TABLES):
        try:
            known = await connection.fetchval(f"SELECT count(*) FROM {table}")
        except asyncpg.PostgresError as error:
            if not _ABSENT.search(str(error)):
                raise
            absent.append(table)
            continue
        capture = begin(table)
        capture.columns = await _columns_of(connection, table)
        order = designated(table, capture.columns)
        async for page in _pages(connection, table, order):
            for record in page:
                capture.add({name: _plain(value) for name, value in record.items()})
            tell(table, capture.rows)
        if capture.rows < known:
            raise SourceMalformed(
                f"{table} gave {capture.rows} of its {known} rows: {order} is null in the others; "
                "export it with /exp instead",
                offset=0,
            )
    return absent


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
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _plain(value: object) -> object:
    """Value that JSON can hold. QuestDB's timestamps have no zone and are UTC."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return f"{moment.isoformat(timespec='microseconds')}Z"
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
            _for_postgres(url) if source == "postgres" else _for_questdb(url),
            timeout=CONNECT_S,
            command_timeout=QUERY_S,
            statement_cache_size=0,
            server_settings={"TimeZone": "UTC"} if source == "postgres" else None,
        )
    except (ValueError, TypeError, asyncpg.InterfaceError):
        raise _unusable() from None
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise SourceUnavailable(f"{label} cannot be reached: {_reason(error)}") from None
    try:
        yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SourceUnavailable(f"{label} cannot be read: {_reason(error)}") from None
    finally:
        connection.terminate()


def _for_postgres(url: str) -> str:
    """PostgreSQL URL from the old service's own settings: Prisma's `schema` becomes `search_path`, and
    parameters that only Prisma knows are left out.
    """
    parts = urlsplit(url)
    given = [pair for pair in parse_qsl(parts.query) if pair[0] not in _ONLY_PRISMAS]
    query = [("search_path", _quoted(value)) if name == "schema" else (name, value) for name, value in given]
    return parts._replace(query=urlencode(query, quote_via=quote)).geturl()


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _for_questdb(url: str) -> str:
    """QuestDB URL with the defaults of an unconfigured QuestDB: its port, its user, no encryption."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    if not at:
        password = ":quest" if "PGPASSWORD" not in os.environ else ""
        credentials = f"admin{password}"
    host = parts.hostname or "localhost"
    host = f"[{host}]" if ":" in host else quote(host)
    netloc = f"{credentials}@{host}:{parts.port or _QUESTDB_PORT}"
    query = (
        parts.query if "sslmode=" in parts.query else "&".join(filter(None, (parts.query, "sslmode=disable")))
    )
    return parts._replace(netloc=netloc, path=parts.path.rstrip("/") or "/qdb", query=query).geturl()


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


def _unusable() -> SourceUnavailable:
    return SourceUnavailable("The address is no usable postgresql:// URL")
