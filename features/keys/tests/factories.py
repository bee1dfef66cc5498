"""Keys for tests, made as the command makes them."""

from datetime import timedelta

from core.database.client import Author, Database
from core.http.request.access import AccessScope
from core.http.request.fields import now
from features.keys.schemas import CreatedKey, CreateKey
from features.keys.service import create_key


async def make_key(
    db: Database, scope: AccessScope, name: str = "somebody", expires_in: timedelta | None = None
) -> CreatedKey:
    expires_at = None if expires_in is None else now() + expires_in
    author = Author("operator")
    values = CreateKey(name=name, scope=scope, expires_at=expires_at)
    return await create_key(db.acting_as(author), author.name, values)


def bearer(key: CreatedKey) -> dict[str, str]:
    return {"authorization": f"Bearer {key.key}"}
