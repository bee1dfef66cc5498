"""What a slice hands to `core.app`: the only thing the platform knows of a feature."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.database.client import Database
    from core.http.access import Principal
    from core.http.routing import Router
    from core.jobs import JobKind
    from core.platform import Platform


@dataclass(frozen=True, slots=True)
class Feature:
    """`name` is the folder's name. Cache tags and job kinds are unique across the app.

    `admin`: with AUTH=keys all its routes need a key of that scope. `authenticate` gives the holder of an API
    key, None for a text that is no valid one; one feature has it.
    `on_start` runs beside the first requests of each process; what it raises is logged and stops nothing.
    """

    name: str
    router: "Router | None" = None
    jobs: "tuple[JobKind, ...]" = ()
    cache_tags: tuple[str, ...] = ()
    admin: bool = False
    authenticate: "Callable[[Database, str], Awaitable[Principal | None]] | None" = None
    on_start: "Callable[[Platform], Awaitable[None]] | None" = None
