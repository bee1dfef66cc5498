"""A table that a feature might add, audited, for the length of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fixtures.database import Connection


@asynccontextmanager
async def remarks(connection: Connection) -> AsyncIterator[None]:
    await connection.execute(
        """
        CREATE TABLE remarks (id text PRIMARY KEY, author text, row_version int NOT NULL DEFAULT 1);
        SELECT handover_audit('remarks', 'remark', '{id,author}');
        """
    )
    try:
        yield
    finally:
        await connection.execute(
            "DROP TABLE remarks; DROP FUNCTION handover_audit_remark, handover_version_remark"
        )
