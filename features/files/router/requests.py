"""Router, paths and dependencies of the slice's routes."""

from typing import Annotated, Final

from fastapi import Depends, Path

from core.deps import Actor, AppSettings, AuthoredDb, Features, Jobs
from core.errors import Invalid, TooLarge, UnsupportedMediaType
from core.http.request.fields import fault_of
from core.http.routing import Router
from features.files.changes.listeners import WriteContext
from features.files.errors import FileNotFound
from features.files.schemas import ID_LENGTH

PREFIX: Final = "/api/v1/files"
ONE: Final = PREFIX + "/{fileId}"
REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)

router = Router(tags=["Files"])


async def _context(
    db: AuthoredDb, jobs: Jobs, settings: AppSettings, features: Features, actor: Actor
) -> WriteContext:
    return WriteContext(db, jobs, settings, features, actor)


async def _file_id(file_id: Annotated[str, Path(alias="fileId", description="File identifier")]) -> str:
    """File id of the path. Raises FileNotFound for one that no file can have (too long, not storable)."""
    if len(file_id) > ID_LENGTH or fault_of(file_id) is not None:
        raise FileNotFound(file_id)
    return file_id


Change = Annotated[WriteContext, Depends(_context)]
FileId = Annotated[str, Depends(_file_id)]
