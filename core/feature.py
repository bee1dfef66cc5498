"""What a slice hands to `core.app`: the only thing the platform knows of a feature."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.http.routing import Router
    from core.jobs import JobKind


@dataclass(frozen=True, slots=True)
class Feature:
    """`name` is the folder's name. Cache tags and job kinds are unique across the app."""

    name: str
    router: "Router | None" = None
    jobs: "tuple[JobKind, ...]" = ()
    cache_tags: tuple[str, ...] = ()
