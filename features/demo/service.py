"""Service of the demo: adds every row with its history, nothing twice, and only to an empty registry."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import orjson

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import unit_of_work
from core.deps import ActorName
from core.feature import Feature
from core.http.request.fields import now
from core.jobs import Jobs
from core.settings import Settings
from features.audit import api as audit
from features.demo.errors import RegistryInUse
from features.demo.registry import history
from features.demo.registry.history import Story
from features.demo.registry.tables import FILES, id_of, table
from features.files import api as files
from features.ideas import api as ideas
from features.imports import api as imports
from features.items import api as items
from features.systems import api as systems

_ITEM: Final = "item"
_SOURCE: Final = id_of("job", "demo")
"""Id of a job that stands for the import of the items."""

_PATIENCE: Final = timedelta(minutes=1)
_AUTHOR: Final = "docs-team"


@dataclass(frozen=True, slots=True)
class Added:
    """Numbers of rows that were added."""

    systems: int
    ideas: int
    items: int
    files: int

    def __str__(self) -> str:
        return f"{self.systems} systems, {self.ideas} ideas, {self.items} items and {self.files} files"


async def fill(
    db: Database, cache: Cache, jobs: Jobs, settings: Settings, features: Sequence[Feature], *, force: bool
) -> Added:
    """Add what is missing of the demo. Raises RegistryInUse when there is anything else, unless forced."""
    end = now()
    of_systems, of_ideas, of_items = history.systems(end), history.ideas(end), history.items(end)
    if not force and await _others(db, of_systems, of_ideas, of_items):
        raise RegistryInUse(Added(len(of_systems), len(of_ideas), len(of_items), len(table("files"))))
    tags = (*systems.SYSTEM_TAGS, *ideas.BULK_TAGS, *items.ITEM_TAGS)

    async def load(tx: Database) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        return (
            await _load_systems(tx, of_systems),
            await _load_ideas(tx, of_ideas),
            await _load_items(tx, of_items),
        )

    async with cache.invalidating(*tags):
        new_systems, new_ideas, new_items = await unit_of_work(db, load, timeout=_PATIENCE)
    actor = _actor()
    context = files.WriteContext(db.acting_as(actor), jobs, settings, features, actor)
    uploaded = await _upload(context, new_ideas)
    return Added(len(new_systems), len(new_ideas), len(new_items), uploaded)


async def _others(
    db: Database, of_systems: Sequence[Story], of_ideas: Sequence[Story], of_items: Sequence[Story]
) -> bool:
    """True if there are rows that are not the demo's; files belong to it if its ideas are stored."""
    own_systems = await systems.names_of(db, _ids(of_systems))
    own_ideas = await ideas.titles_of(db, _ids(of_ideas))
    own_items = await imports.ITEMS.existing(db, _ids(of_items))
    return (
        (await systems.statistics(db)).total > len(own_systems)
        or (await ideas.statistics(db)).total > len(own_ideas)
        or await items.count(db) > len(own_items)
        or (not own_ideas and (await files.statistics(db, files.Audience())).total > 0)
    )


async def _load_systems(tx: Database, stories: Sequence[Story]) -> frozenset[str]:
    rows = [
        systems.StoredSystem(systems.System.model_validate(story.today), len(story.versions))
        for story in stories
    ]
    added = await systems.load(tx, rows)
    await _tell(tx, systems.ENTITY, stories, added)
    return added


async def _load_ideas(tx: Database, stories: Sequence[Story]) -> frozenset[str]:
    """Add the ideas. One whose system is missing, because its name was taken, has none."""
    known = await systems.names_of(tx, {str(story.today.get("systemId", "")) for story in stories})
    rows = []
    for story in stories:
        idea = ideas.Idea.model_validate(story.today)
        if idea.system_id not in known:
            idea = idea.model_copy(update={"system_id": None})
        rows.append((idea, len(story.versions)))
    added = await ideas.load(tx, rows)
    await _tell(tx, ideas.ENTITY, stories, added)
    return added


async def _load_items(tx: Database, stories: Sequence[Story]) -> frozenset[str]:
    added = frozenset(_ids(stories)) - frozenset(await imports.ITEMS.existing(tx, _ids(stories)))
    rows = [
        orjson.Fragment(imports.LegacyItem.parse(story.today).row()) for story in stories if story.id in added
    ]
    await imports.ITEMS.load(tx, orjson.dumps(rows).decode(), _SOURCE, overwrite=False)
    await _tell(tx, _ITEM, stories, added)
    return added


async def _tell(tx: Database, entity: str, stories: Sequence[Story], added: Collection[str]) -> None:
    """Add the audit entries of the new rows' history."""
    for story in stories:
        if story.id not in added:
            continue
        before: audit.Facts = {}
        for version in story.versions:
            entry = audit.AuditEntry(
                entity,
                story.id,
                version.action,
                version.author,
                request_id=None,
                changes=audit.differences(before, version.fields),
                at=version.at,
            )
            await audit.record(tx, entry)
            before = version.fields


async def _upload(context: files.WriteContext, new_ideas: Collection[str]) -> int:
    """Upload the files of new ideas, each as a multipart form; returns how many."""
    uploaded = 0
    for row in table("files"):
        idea_id = id_of("idea", row["idea"])
        if idea_id not in new_ideas:
            continue
        fields = {"idea_id": idea_id, "description": row["description"]}
        fields["is_public"] = "true" if row["public"] == "yes" else "false"
        system_id = id_of("system", row["system"])
        if await systems.names_of(context.db, [system_id]):
            fields["system_id"] = system_id
        content = (FILES / row["name"]).read_bytes()
        form = httpx.Request("POST", "http://demo/", data=fields, files={"file": (row["name"], content)})
        outcome = await files.upload(
            context, form.headers["content-type"], _once(form.read()), field_name="file", most_files=1
        )
        for job_id in outcome.job_ids:
            await context.jobs.run(job_id)
        uploaded += len(outcome.files)
    return uploaded


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _actor() -> ActorName:
    return ActorName(_AUTHOR, "demo", None)


def _ids(stories: Sequence[Story]) -> list[str]:
    return [story.id for story in stories]
