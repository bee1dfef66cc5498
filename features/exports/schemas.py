"""Arguments and results of exports."""

from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, RootModel
from pydantic.alias_generators import to_camel

KIND: Final = "export.lowdb"
FILENAME: Final = "library.json"
NAMED: Final = 20
"""Upper bound of the decisions that are named."""


class Arguments(BaseModel):
    """Arguments of the job. `path` is the caller's own file; None means one in the job's folder."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    filename: str = FILENAME
    path: str | None = None


class LowDbFile(RootModel[dict[str, JsonValue] | list[JsonValue]]):
    """An object with the list of items, or the list alone: in the layout of the newest imported file."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [{"id": "1", "title": "Dark mode"}]}})


class Told(BaseModel):
    """Decision about one record, for people."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


class Result(BaseModel):
    """Result of the job. Of the `records` written: `unchanged` since the import, `changed` since, `added`
    here, `unusable` as in the file because they could not be taken over. `removed` ones were deleted here.
    `replaced`: number of ids whose newest record could not be taken over and that were written as they are
    here. `first_decided` names such ids that are stored here too, with which of the two was written.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    filename: str
    records: int = 0
    unchanged: int = 0
    changed: int = 0
    added: int = 0
    unusable: int = 0
    replaced: int = 0
    removed: int = 0
    first_decided: list[Told] = []
    bytes: int = 0
    sha256: str = ""
    seconds: float = 0
