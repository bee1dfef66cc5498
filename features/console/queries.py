"""Sessions through the typed client."""

from datetime import datetime
from typing import cast

from core.database.client import Database
from core.http.request.access import AccessScope
from features.console.schemas import StoredSession


async def create_session(db: Database, session: StoredSession) -> None:
    await db.consolesession.create(
        data={
            "id": session.id,
            "sealed_key": session.sealed_key,
            "name": session.name,
            "scope": session.scope,
            "expires_at": session.expires_at,
        }
    )


async def find_session(db: Database, session_id: str) -> StoredSession | None:
    row = await db.consolesession.find_unique(where={"id": session_id})
    if row is None:
        return None
    return StoredSession(row.id, row.sealed_key, row.name, cast(AccessScope, row.scope), row.expires_at)


async def delete_session(db: Database, session_id: str) -> None:
    await db.consolesession.delete_many(where={"id": session_id})


async def delete_expired(db: Database, moment: datetime) -> None:
    await db.consolesession.delete_many(where={"expires_at": {"lte": moment}})
