"""What has changed in the source since the last import."""

from dataclasses import dataclass

from core.database.client import Database
from features.imports.errors import NoEarlierImport
from features.imports.lowdb.previous import Previous
from features.imports.lowdb.spool import joined
from features.imports.phases.rows import REASONS
from features.imports.queries import memory
from features.imports.schemas import ENTITY, KIND, SAMPLES, Changes, Told
from features.items import api as items


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the newest finished import found in its source."""

    job_id: str
    records: Previous

    async def vanished(self, db: Database) -> dict[str, object]:
        """How many records nobody has asked for, and the first of them."""
        count = self.records.vanished
        first: list[str] = []
        place = 0
        if count:
            async for page in memory.pages(db, self.job_id, ENTITY):
                for identifier, _, _, _ in page.entries:
                    if identifier is None:
                        continue
                    if not self.records.was_asked_for(place):
                        first.append(identifier)
                    place += 1
                if len(first) >= SAMPLES:
                    break
        return {"vanished": count, "first_vanished": first[:SAMPLES]}


async def recall(db: Database) -> Recalled:
    """Raises NoEarlierImport."""
    job_id = await memory.newest_run(db, KIND)
    if job_id is None:
        raise NoEarlierImport
    records = Previous()
    async for page in memory.pages(db, job_id, ENTITY):
        records.add(
            (identifier, digest)
            for identifier, digest, _, _ in page.entries
            if identifier is not None and digest is not None
        )
    return Recalled(job_id, records)


async def foreseen(db: Database, changes: Changes, asked: list[bytes]) -> Changes:
    """What would become of these records, JSON objects of id, digest and base, if they were imported now."""
    if not asked:
        return changes
    verdicts = await items.verdicts(db, joined(asked))
    told = [Told(id=row_id, reason=REASONS[each]) for row_id, each in verdicts.items() if each in REASONS]
    counted = list(verdicts.values())
    return changes.model_copy(
        update={
            "new": changes.new + counted.count("new"),
            "changed": changes.changed + counted.count("changed"),
            "unchanged": changes.unchanged + counted.count("same"),
        }
    ).with_conflicts(told)
