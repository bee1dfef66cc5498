"""Schema migrations, applied and written by Prisma's own schema engine (`prisma/engine/schema.mjs`)."""

import asyncio
import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from prisma.errors import PrismaError

from core.database.process import ENGINE_FOLDER, NODE

if TYPE_CHECKING:
    from core.database.client import Database

log = structlog.get_logger(__name__)

MIGRATIONS: Final = ENGINE_FOLDER.parent / "migrations"
TIMEOUT_S: Final = 300
_HISTORY: Final = """
SELECT migration_name, CASE WHEN finished_at IS NOT NULL THEN checksum END AS checksum
FROM _prisma_migrations WHERE rolled_back_at IS NULL AND current_setting('server_encoding') = 'UTF8'
"""
"""Query of the history. Empty for another encoding, so that `deploy` is called, which says so."""
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


class SchemaError(Exception):
    """The schema could not be read, deployed or compared; the message is a sentence for an operator."""


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Migrations of the folder against the history in the database, by name, oldest first."""

    applied: tuple[str, ...]
    missing: tuple[str, ...]
    edited: tuple[str, ...]
    failed: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def up_to_date(self) -> bool:
        return not (self.missing or self.edited or self.failed or self.unknown)


async def is_current(db: "Database") -> bool:
    """True if the database has these migrations and no others, so that `deploy`, which takes a process of its
    own, has nothing to do.
    """
    try:
        rows = await db.query_raw(_HISTORY)
    except PrismaError:
        return False
    return {row["migration_name"]: row["checksum"] for row in rows} == await asyncio.to_thread(_checksums)


def _checksums() -> dict[str, str]:
    files = MIGRATIONS.glob("*/migration.sql")
    return {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def deploy(url: str) -> tuple[str, ...]:
    """Apply the migrations that the database lacks, and return their names; what else differs is logged.
    Concurrent calls wait. Raises SchemaError; of a migration that failed nothing is applied.
    """
    found = await _run("deploy", url)
    if found["unknown"]:
        log.warning("schema.newer_than_this_version", migrations=", ".join(found["unknown"]))
    if found["edited"]:
        log.warning("schema.migrations_edited_since_applied", migrations=", ".join(found["edited"]))
    return tuple(found["applied"])


async def check(url: str) -> None:
    """Raises SchemaError unless the database has all of these migrations. It may have others."""
    found = await status(url)
    if lacking := (*found.missing, *found.failed):
        raise SchemaError(
            f"The database lacks {len(lacking)} of this version's migrations, from {lacking[0]} on; "
            "`handover db deploy` applies them."
        )


async def status(url: str) -> SchemaStatus:
    found = await _run("status", url)
    return SchemaStatus(**{name: tuple(found[name]) for name in SchemaStatus.__dataclass_fields__})


async def difference(url: str) -> str:
    """SQL that leads from the migrations to the schema files; empty when they agree. Needs the right to
    create a database, in which the migrations are applied and which is dropped again.
    """
    return str((await _run("diff", url))["sql"])


async def new(url: str, name: str) -> Path | None:
    """Write the next migration; None if the schema has no changes. Read its SQL before it is used."""
    if not NAME.fullmatch(name):
        raise SchemaError(
            f"'{name}' cannot name a migration: use lower-case letters, digits and underscores."
        )
    sql = await difference(url)
    if not sql:
        return None
    folder = MIGRATIONS / f"{datetime.now(UTC):%Y%m%d%H%M%S}_{name}"
    await asyncio.to_thread(_write, folder, sql)
    return folder / "migration.sql"


def _write(folder: Path, sql: str) -> None:
    folder.mkdir()
    (folder / "migration.sql").write_text(sql, encoding="utf-8")


async def _run(command: str, url: str) -> dict[str, Any]:
    try:
        process = await asyncio.create_subprocess_exec(
            NODE,
            "--no-warnings",
            ENGINE_FOLDER / "schema.mjs",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath},
        )
    except OSError as error:
        raise SchemaError(f"Node cannot be started ({error}); run `make setup`.") from error
    try:
        async with asyncio.timeout(TIMEOUT_S):
            answer, errors = await process.communicate(
                orjson.dumps({"command": command, "url": url, "migrations": str(MIGRATIONS)})
            )
    except TimeoutError:
        process.kill()
        await process.wait()
        raise SchemaError(f"The schema engine did not finish within {TIMEOUT_S} s.") from None
    if not answer:
        reason = errors.decode(errors="replace").strip().splitlines()
        raise SchemaError(
            f"The schema engine failed: {reason[-1] if reason else process.returncode}; run `make setup`."
        )
    result: dict[str, Any] = orjson.loads(answer)
    if "error" in result:
        raise SchemaError(_sentence(result["error"]["message"], str(result["error"].get("state"))))
    ok: dict[str, Any] = result["ok"]
    return ok


def _sentence(reason: str, state: str) -> str:
    """`state` is PostgreSQL's code of the error. Drivers name the address, never the password."""
    if state.startswith(("08", "53", "57P")):
        return f"The database cannot be reached ({reason}); start it or correct DATABASE_URL."
    if reason.startswith("Migration "):
        return f"{reason.rstrip('.')}. Nothing of it is applied: mend the cause, then `handover db deploy`."
    if "permission denied" in reason:
        return f"The database refused: {reason}; its tables must belong to the role that DATABASE_URL names."
    return reason if reason.endswith(".") else f"The database refused: {reason}; correct DATABASE_URL."
