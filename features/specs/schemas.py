"""Response of `/api/v1/docs/status`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from core.http.request.fields import Timestamp, always_there

SpecType = Literal["openapi", "asyncapi"]
SpecState = Literal["valid", "invalid"]


class SpecStatus(BaseModel):
    """One document: `issues` says what is wrong with it and where."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    name: str
    type: SpecType
    status: SpecState
    last_validated_at: Timestamp
    issues: list[str]


class SpecStatusResponse(BaseModel):
    model_config = ConfigDict(json_schema_extra=always_there("success"))

    success: Literal[True] = True
    specs: list[SpecStatus]
