"""An import as clients see it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.request.fields import is_none
from core.http.request.timestamps import Timestamp
from core.jobs import JobState
from features.imports.schemas import ImportSource


class TakenBack(BaseModel):
    """When and by whom an import was taken back; `jobId` is the undo's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    job_id: str
    at: Timestamp
    actor: str


class Import(BaseModel):
    """An import. `id` is its job's; `undoable`: there is something to take back."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    id: str
    source: ImportSource
    filename: str
    state: JobState
    dry_run: bool
    imported: Annotated[int | None, Field(exclude_if=is_none)] = None
    updated: Annotated[int | None, Field(exclude_if=is_none)] = None
    rejected: int
    undoable: bool
    taken_back: Annotated[TakenBack | None, Field(exclude_if=is_none)] = None
    actor: str
    created_at: Timestamp
    finished_at: Annotated[Timestamp | None, Field(exclude_if=is_none)] = None
    error: Annotated[str | None, Field(exclude_if=is_none)] = None
