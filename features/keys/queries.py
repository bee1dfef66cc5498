"""Queries of API keys."""

from datetime import datetime
from typing import cast

from prisma.models import ApiKey as ApiKeyRow

from core.database.client import Database
from core.http.answers.pagination import Position, beyond
from core.http.request.access import AccessScope
from features.keys.schemas import ApiKey, StoredKey


async def create(db: Database, key: StoredKey) -> None:
    about = key.about
    await db.apikey.create(
        data={
            "id": about.id,
            "name": about.name,
            "scope": about.scope,
            "secret_hash": key.secret_hash,
            "created_by": about.created_by,
            "created_at": about.created_at,
            "expires_at": about.expires_at,
        }
    )


async def find(db: Database, key_id: str) -> StoredKey | None:
    row = await db.apikey.find_unique(where={"id": key_id})
    return None if row is None else StoredKey(_about(row), row.secret_hash)


async def find_keys(
    db: Database, *, after: Position | None = None, offset: int = 0, take: int | None = None
) -> list[ApiKey]:
    """Keys, newest first, ties by id; without `take` all from there on."""
    rows = await db.apikey.find_many(
        where={} if after is None else {"AND": beyond(after)},
        order=[{"created_at": "desc"}, {"id": "asc"}],
        skip=offset or None,
        take=take,
    )
    return [_about(row) for row in rows]


async def count_keys(db: Database) -> int:
    return await db.apikey.count()


async def revoke(db: Database, key_id: str, moment: datetime) -> None:
    """Revoke the key. One that was revoked before stays as it is."""
    await db.apikey.update_many(where={"id": key_id, "revoked_at": None}, data={"revoked_at": moment})


async def used(db: Database, key_id: str, moment: datetime) -> None:
    await db.apikey.update_many(where={"id": key_id}, data={"last_used_at": moment})


def _about(row: ApiKeyRow) -> ApiKey:
    return ApiKey.model_construct(
        id=row.id,
        name=row.name,
        scope=cast(AccessScope, row.scope),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
