"""People who use the console over HTTP, as browsers without scripts do."""

import re
from typing import TYPE_CHECKING

import httpx

from features.keys.tests.factories import make_key

if TYPE_CHECKING:
    from core.database.client import Database
    from core.http.request.access import AccessScope

CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


async def sign_in(client: httpx.AsyncClient, key: str) -> httpx.Response:
    response = await client.post("/console/sign-in", data={"key": key, "next": "/console/items"})
    assert response.status_code == 303, response.text
    return response


async def signed_in(
    client: httpx.AsyncClient, db: "Database", scope: "AccessScope", name: str = "ada"
) -> str:
    """Sign the client in with a new key; returns its id."""
    key = await make_key(db, scope, name)
    await sign_in(client, key.key)
    return key.id


async def token_of(client: httpx.AsyncClient, path: str = "/console") -> str:
    """The token of the forms of the client's session."""
    found = CSRF.search((await client.get(path)).text)
    assert found is not None
    return found[1]
