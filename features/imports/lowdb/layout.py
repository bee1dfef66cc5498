"""The file that was imported last, as far as it has to be remembered to be written again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.database.client import Database
from features.imports.lowdb.text import EMPTY_HEAD, EMPTY_TAIL
from features.imports.queries import memory
from features.imports.schemas import ENTITY, KIND, Entry


@dataclass(frozen=True, slots=True)
class Layout:
    """Text around the records, and the records in their order. Without an import: an empty file."""

    job_id: str | None

    async def head(self, db: Database) -> AsyncIterator[str]:
        """Everything up to the bracket of the list."""
        if self.job_id is None:
            yield EMPTY_HEAD
            return
        async for page in memory.pages(db, self.job_id, "head"):
            yield page.content

    async def pages(self, db: Database) -> AsyncIterator[list[Entry]]:
        if self.job_id is not None:
            async for page in memory.pages(db, self.job_id, ENTITY):
                yield page.entries

    async def tail(self, db: Database) -> AsyncIterator[str]:
        """Everything after the last record, or after the bracket of an empty list."""
        if self.job_id is None:
            yield EMPTY_TAIL
            return
        async for page in memory.pages(db, self.job_id, "tail"):
            yield page.content


async def newest_layout(db: Database) -> Layout:
    return Layout(await memory.newest_run(db, KIND))
