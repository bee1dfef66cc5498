"""Listeners of changes: other slices take part in the transaction of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.database.client import AuthoredDatabase, Database
from core.deps import ActorName
from core.feature import Feature
from core.jobs import Jobs
from core.settings import Settings
from features.files.errors import IdeaUnknown, SystemUnknown
from features.files.schemas import ChangeAction, FileChange, IndexedFile, StoredFile
from features.ideas import api as ideas
from features.systems import api as systems

ENTITY: Final = "file"


@dataclass(frozen=True, slots=True)
class WriteContext:
    """Write context of a change of files: `db` writes in the name of `actor`."""

    db: AuthoredDatabase
    jobs: Jobs
    settings: Settings
    features: Sequence[Feature]
    actor: ActorName


async def tell(tx: Database, context: WriteContext, action: ChangeAction, changed: StoredFile) -> list[str]:
    """In the transaction of the change. Returns the jobs that others have enqueued, to run after it."""
    change = FileChange(action, IndexedFile.of(changed))
    listeners = [each.on_change["File"] for each in context.features if "File" in each.on_change]
    jobs = [await listener(tx, context.jobs, context.actor, change) for listener in listeners]
    return [job.id for job in jobs if job is not None]


async def check_links(tx: Database, *, idea_id: str | None, system_id: str | None) -> None:
    """Raises IdeaUnknown or SystemUnknown."""
    if idea_id is not None and not await ideas.exists(tx, idea_id):
        raise IdeaUnknown(idea_id)
    if system_id is not None and not await systems.exists(tx, system_id):
        raise SystemUnknown(system_id)
