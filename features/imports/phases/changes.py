"""What has changed in the source since the last import."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.database.client import Database
from features.imports.errors import NoEarlierImport
from features.imports.lowdb.previous import Previous, known, recall
from features.imports.lowdb.spool import joined
from features.imports.phases.rows import REASONS
from features.imports.queries import memory
from features.imports.schemas import KIND, Changes, Told
from features.items import api as items


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the finished imports, newest first, found in their sources."""

    runs: list[str]
    records: Previous

    async def left(self, db: Database) -> AsyncIterator[list[tuple[str, str, bool]]]:
        """(id, digest, whether it has vanished) of the records that the source of now does not give, some at
        a time. What has vanished there and was deleted here is settled, and not among them.
        """
        told = Previous()
        async for some in known(db, self.runs):
            entries: list[tuple[str, str, bool]] = []
            for identifier, digest in some:
                if self.records.is_left(identifier) and told.add(identifier, digest):
                    entries.append((identifier, digest, self.records.has_vanished(identifier)))
            vanished = [identifier for identifier, _, gone in entries if gone]
            here = frozenset(await items.existing_ids(db, vanished)) if vanished else frozenset()
            yield [each for each in entries if not each[2] or each[0] in here]


async def recall_all(db: Database) -> Recalled:
    """Raises NoEarlierImport."""
    runs = await memory.finished_runs(db, KIND)
    if not runs:
        raise NoEarlierImport
    return Recalled(runs, await recall(db, runs))


async def foreseen(db: Database, changes: Changes, asked: list[bytes]) -> Changes:
    """What would become of these records, JSON of id, both digests and base, if they were imported now."""
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
