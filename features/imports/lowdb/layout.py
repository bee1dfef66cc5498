"""Layout of the newest imported file: its text around the records and their order, for writing it again."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.database.client import Database
from features.imports.lowdb.text import EMPTY_HEAD, EMPTY_TAIL
from features.imports.lowdb.validator import identifier_of
from features.imports.pipeline.identifiers import SeenIds
from features.imports.queries import journal
from features.imports.queries.rejects import rejects_of_earlier
from features.imports.schemas import ENTITY, KIND, Entry


@dataclass(frozen=True, slots=True)
class Leftover:
    """Rejected record of an earlier file that the newest one lacks: its text, its id, and the id of the
    record before it (None: there was none).
    """

    text: str
    id: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Text around the records, and the records in their order. Without an import: an empty file."""

    job_id: str | None

    def head(self, db: Database) -> AsyncIterator[str]:
        """Text up to the bracket of the list."""
        return self._around(db, "head", EMPTY_HEAD)

    def tail(self, db: Database) -> AsyncIterator[str]:
        """Text after the last record, or after the bracket of an empty list."""
        return self._around(db, "tail", EMPTY_TAIL)

    async def _around(self, db: Database, part: str, empty: str) -> AsyncIterator[str]:
        if self.job_id is None:
            yield empty
            return
        async for chunk in journal.chunks(db, self.job_id, part):
            yield chunk.content

    async def chunks(self, db: Database) -> AsyncIterator[list[Entry]]:
        if self.job_id is not None:
            async for chunk in journal.chunks(db, self.job_id, ENTITY):
                yield chunk.entries

    async def ids(self, db: Database) -> SeenIds:
        """Ids of the records that could be taken over."""
        ids = SeenIds()
        async for entries in self.chunks(db):
            for entry in entries:
                if entry[0] is not None and entry[1] is not None:
                    ids.add(entry[0], 0)
        return ids

    async def leftovers(self, db: Database) -> list[Leftover]:
        """Leftovers in the order of their files, the newest file first; of an id only the newest."""
        found: list[Leftover] = []
        owners: dict[str, str] = {}
        if self.job_id is None:
            return found
        for job_id, position in await rejects_of_earlier(db, KIND, self.job_id):
            leftover = await _leftover(db, job_id, position)
            if leftover.id is None or owners.setdefault(leftover.id, job_id) == job_id:
                found.append(leftover)
        return found


async def newest_layout(db: Database) -> Layout:
    runs = await journal.finished_runs(db, KIND)
    return Layout(runs[0] if runs else None)


async def _leftover(db: Database, job_id: str, position: int) -> Leftover:
    chunk = await journal.chunk_at(db, job_id, ENTITY, position)
    text = chunk.entries[position - chunk.number][2] or ""
    entries = chunk.entries[: position - chunk.number]
    while (
        after := next((entry[0] for entry in reversed(entries) if entry[0]), None)
    ) is None and chunk.number:
        chunk = await journal.chunk_at(db, job_id, ENTITY, chunk.number - 1)
        entries = chunk.entries
    return Leftover(text, identifier_of(_value_of(text)), after)


def _value_of(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
