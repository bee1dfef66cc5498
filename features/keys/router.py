"""Routes under `/api/v1/keys`: for administrators, with `AUTH=keys` only."""

from typing import Annotated, Final

from fastapi import Depends, Path, Query, Response, status

from core.deps import Actor, AppSettings, AuthoredDb, Db
from core.errors import Invalid, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.envelope import Done, ListEnvelope, error_responses
from core.http.request.fields import Text
from core.http.routing import Router
from features.keys import service
from features.keys.errors import KeyNotFound, KeysDisabled
from features.keys.schemas import ApiKey, CreatedKey, CreateKey, KeyQuery


async def _keys_on(settings: AppSettings) -> None:
    """Raises KeysDisabled without AUTH=keys: anybody could make a key for the day on which it is set."""
    if settings.auth != "keys":
        raise KeysDisabled


PREFIX: Final = "/api/v1/keys"

router = Router(prefix=PREFIX, tags=["Keys"], dependencies=[Depends(_keys_on)])


@router.get(
    "", summary="List API keys, newest first", responses=error_responses(Invalid, KeysDisabled, Unavailable)
)
async def list_keys(db: Db, query: Annotated[KeyQuery, Query()]) -> ListEnvelope[ApiKey]:
    """Revoked and expired ones too. The keys themselves are stored nowhere."""
    return await service.list_keys(db, query)


@router.post(
    "",
    summary="Create an API key",
    description="The answer holds the key, this once.",
    status_code=status.HTTP_201_CREATED,
    responses=error_responses(Invalid, TooLarge, UnsupportedMediaType, KeysDisabled, Unavailable),
)
async def create_key(db: AuthoredDb, actor: Actor, values: CreateKey, response: Response) -> Done[CreatedKey]:
    created = await service.create_key(db, actor.name, values)
    response.headers.update({"Cache-Control": "no-store", "Location": f"{PREFIX}/{created.id}"})
    return Done[CreatedKey](message="API key created successfully", data=created)


@router.delete("/{key_id}", summary="Revoke an API key", responses=error_responses(KeysDisabled, KeyNotFound))
async def revoke_key(
    db: AuthoredDb, key_id: Annotated[Text, Path(description="The id of the key")]
) -> Done[ApiKey]:
    """At once on the host that answers, within five seconds on others. It stays in the list."""
    revoked = await service.revoke_key(db, key_id)
    return Done[ApiKey](message="API key revoked successfully", data=revoked)
