"""Requests and responses of keys, and keys as they are stored."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.request.access import AccessScope
from core.http.request.fields import LEFT_OUT_IF_NONE, NotBlank, Timestamp, without_default
from core.http.request.input import Input

NAME_LENGTH: Final = 40
KEY: Final = re.compile(r"hv_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)


def _printable(name: str) -> str:
    if not name.isprintable():
        raise PydanticCustomError("name", "must have printable characters only")
    if name.endswith(")"):
        raise PydanticCustomError(
            "name", "must not end with a bracket, as a name with a label behind it does"
        )
    return name


KeyName = Annotated[NotBlank, Field(max_length=NAME_LENGTH), AfterValidator(_printable)]


class CreateKey(Input):
    """`expiresAt` left out: the key is valid until it is revoked."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra={"example": {"name": "dashboard", "scope": "read"}},
    )

    name: KeyName = Field(description="Who holds it, as the audit trail will tell")
    scope: AccessScope = Field(description="write includes read, admin includes both")
    expires_at: Timestamp | None = Field(default=None, json_schema_extra=without_default)


class KeyQuery(Input):
    """Page of keys; without `limit` the list is complete."""

    model_config = ConfigDict(frozen=True)

    limit: Limit | None = None
    offset: Offset = 0
    cursor: Cursor | None = None


class ApiKey(BaseModel):
    """API key without its secret. `lastUsedAt` is exact to five minutes."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str = Field(description="The part of the key that is no secret", examples=["4be1c0ffee42"])
    name: str
    scope: AccessScope
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    revoked_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    last_used_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)

    def valid_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


class CreatedKey(ApiKey):
    key: str = Field(description="Shown this once: it is stored nowhere")


@dataclass(frozen=True, slots=True)
class StoredKey:
    about: ApiKey
    secret_hash: str
