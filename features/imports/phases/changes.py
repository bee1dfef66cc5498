"""Changes in the source since the last import."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from core.database.client import Database
from core.database.import_table import Verdict
from features.imports.errors import NoEarlierImport
from features.imports.lowdb.previous import Previous, known, recall
from features.imports.phases.rows import REASONS
from features.imports.queries import memory
from features.imports.schemas import Changes, Told

Existing = Callable[[Database, list[str]], Awaitable[list[str]]]
"""Returns the given ids that are stored."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Records that the finished imports, newest first, found in their sources."""

    runs: list[str]
    entity: str
    records: Previous

    async def left(self, db: Database, existing: Existing) -> AsyncIterator[list[tuple[str, str, bool]]]:
        """Batches of (id, digest, vanished) of the records that the current source does not have in a usable
        form. A record that has vanished there and was deleted here is settled, and left out.
        """
        told = Previous()
        async for some in known(db, self.runs, self.entity):
            entries: list[tuple[str, str, bool]] = []
            for identifier, digest in some:
                if self.records.is_left(identifier) and told.add(identifier, digest):
                    entries.append((identifier, digest, self.records.has_vanished(identifier)))
            vanished = [identifier for identifier, _, gone in entries if gone]
            here = frozenset(await existing(db, vanished)) if vanished else frozenset()
            yield [each for each in entries if not each[2] or each[0] in here]


async def earlier_runs(db: Database, source: str, *kinds: str) -> list[str]:
    """Job ids of finished imports of these kinds, newest first. Raises NoEarlierImport, naming the source."""
    runs = await memory.finished_runs(db, *kinds)
    if not runs:
        raise NoEarlierImport(source)
    return runs


async def recall_all(db: Database, runs: list[str], entity: str) -> Recalled:
    return Recalled(runs, entity, await recall(db, runs, entity))


def foreseen(changes: Changes, verdicts: Mapping[str, Verdict]) -> Changes:
    """Changes with the outcome that these verdicts foresee, were the records imported now."""
    told = [Told(id=row_id, reason=REASONS[each]) for row_id, each in verdicts.items() if each in REASONS]
    counted = list(verdicts.values())
    return changes.with_counts(
        new=counted.count("new"), changed=counted.count("changed"), unchanged=counted.count("same")
    ).with_conflicts(told)
