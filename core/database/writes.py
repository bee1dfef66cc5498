"""Writes: which rows of which model. Told to whoever keeps something that is made of them: by typed
calls of this process at once, of all others by the log of changes.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prisma import PrismaMethod
from prisma.errors import PrismaError

from core.database.errors import DatabaseUnavailable, EngineUnavailable

WRITING: Final[frozenset[PrismaMethod]] = frozenset(
    {"create", "update", "delete", "upsert", "create_many", "update_many", "delete_many"}
)
NOTHING_WRITTEN: Final = frozenset({b"null", b'{"count":0}'})
"""Results of calls that found no row."""


@dataclass(frozen=True, slots=True)
class Write:
    """`ids`: None for any rows of the model; `fields`: those that an update sets, none where that is not
    known.
    """

    model: str
    operation: PrismaMethod
    ids: tuple[str, ...] | None
    fields: frozenset[str] = frozenset()


Rule = Callable[[Write], Iterable[str]]
"""Returns the cache tags that a write renews."""
Tell = Callable[[Sequence[Write]], Awaitable[None]]


def renewing(rules: Mapping[str, Rule], renew: Callable[..., Awaitable[None]]) -> Tell:
    """Callback that has `renew(*tags)` renew what follows from writes by the rules of their models."""

    async def tell(writes: Sequence[Write]) -> None:
        tags = [tag for write in writes if write.model in rules for tag in rules[write.model](write)]
        if tags:
            await renew(*tags)

    return tell


class Writes:
    """Writes of one engine: calls `tell` with each when it has been committed, or may have been."""

    tell: Tell | None = None
    doubt: Callable[[], None] | None = None
    """Called when the outcome is unknown, before `tell`: PostgreSQL may carry the write out later."""

    def __init__(self) -> None:
        self._uncommitted: dict[str, list[Write]] = {}

    def failed(self, error: BaseException) -> bool:
        """True if the write may have been done, or may be yet: no answer came from PostgreSQL or Prisma. A
        refusal, a timeout's too, has changed nothing.
        """
        unknown = not isinstance(error, PrismaError) or isinstance(
            error, DatabaseUnavailable | EngineUnavailable
        )
        if unknown and self.doubt is not None:
            self.doubt()
        return unknown

    async def done(self, writes: Sequence[Write], transaction: str | None) -> None:
        if transaction is not None:
            self._uncommitted.setdefault(transaction, []).extend(writes)
        elif self.tell is not None and writes:
            await self.tell(writes)

    async def committed(self, transaction: str) -> None:
        """Report the transaction's writes as committed, also when the outcome is unknown."""
        await self.done(self._uncommitted.pop(transaction, []), None)

    def rolled_back(self, transaction: str) -> None:
        self._uncommitted.pop(transaction, None)
