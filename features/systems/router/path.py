"""Router of systems, its paths, and the id in them."""

from typing import Annotated, Final

from fastapi import Depends, Path

from core.http.request.fields import fault_of
from core.http.routing import Router
from features.systems.errors import SystemNotFound
from features.systems.schemas import ID_LENGTH

PREFIX: Final = "/api/v1/systems"
ONE: Final = PREFIX + "/{id}"

router = Router(tags=["Systems"])


async def system_id(id: Annotated[str, Path(description="System identifier (UUID)")]) -> str:  # noqa: A002
    """System id of the path. Raises SystemNotFound for one that no system can have (too long, unstorable)."""
    if len(id) > ID_LENGTH or fault_of(id) is not None:
        raise SystemNotFound(id)
    return id


SystemId = Annotated[str, Depends(system_id)]
