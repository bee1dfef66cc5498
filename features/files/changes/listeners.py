"""What every change does besides changing: it tells listeners in its transaction."""

from dataclasses import dataclass
from typing import Final

from core.database.client import Database
from core.deps import ActorName
from core.jobs import Jobs
from core.settings import Settings
from features.files.errors import IdeaUnknown, SystemUnknown
from features.files.schemas import ChangeAction, FileChange, IndexedFile, Listener, StoredFile
from features.ideas import api as ideas
from features.systems import api as systems

ENTITY: Final = "file"

listeners: Final[list[Listener]] = []
"""Filled by `features.files.api.subscribe`."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a change needs, and for whom it is made."""

    db: Database
    jobs: Jobs
    settings: Settings
    actor: ActorName


async def tell(tx: Database, work: Work, action: ChangeAction, changed: StoredFile) -> list[str]:
    """In the transaction of the change. Returns the jobs that listeners have enqueued, to run after it."""
    change = FileChange(action, IndexedFile.of(changed))
    jobs = [await listener(tx, work.jobs, work.actor, change) for listener in listeners]
    return [job.id for job in jobs if job is not None]


async def check_links(tx: Database, *, idea_id: str | None, system_id: str | None) -> None:
    """Raises IdeaUnknown or SystemUnknown."""
    if idea_id is not None and not await ideas.exists(tx, idea_id):
        raise IdeaUnknown
    if system_id is not None and not await systems.exists(tx, system_id):
        raise SystemUnknown
