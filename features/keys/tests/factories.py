"""Keys for tests, made as the command makes them."""

from dataclasses import dataclass
from datetime import timedelta

from core.database.client import Database
from core.http.request.access import AccessScope
from core.http.request.timestamps import now
from features.keys.schemas import CreatedKey, CreateKey
from features.keys.service import create_key


@dataclass(frozen=True, slots=True)
class Maker:
    name: str = "operator"
    request_id: None = None
    client: None = None


async def make_key(
    db: Database, scope: AccessScope, name: str = "somebody", expires_in: timedelta | None = None
) -> CreatedKey:
    expires_at = None if expires_in is None else now() + expires_in
    return await create_key(db, Maker(), CreateKey(name=name, scope=scope, expires_at=expires_at))


def bearer(key: CreatedKey) -> dict[str, str]:
    return {"authorization": f"Bearer {key.key}"}
