"""Job kinds for tests, and the table that shows whether each of their rows was written exactly once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, cast

from core.database.client import Author, Database
from core.jobs import JobContext, JobKind, JobView, JsonObject
from tests.fixtures.transactions import transaction

CREATE_ROWS = "CREATE TABLE IF NOT EXISTS job_test_rows (job_id uuid NOT NULL, n int NOT NULL)"


CALLER: Final = Author("tester", "request-1")


async def written(db: Database, job_id: str) -> list[int]:
    """The numbers that the job has committed, in order and with repetitions."""
    rows = await db.query_raw("SELECT n FROM job_test_rows WHERE job_id = $1::uuid ORDER BY n", job_id)
    return [int(row["n"]) for row in rows]


async def write(context: JobContext, n: int) -> None:
    """One row and the checkpoint after it, in one transaction."""
    async with transaction(context.db) as tx:
        await tx.execute_raw("INSERT INTO job_test_rows VALUES ($1::uuid, $2::int)", context.job.id, n)
        await context.checkpoint(tx, {"next": n + 1}, done=n + 1)


async def count(context: JobContext) -> JsonObject:
    """Write the rows 0 to `total` - 1, going on from the checkpoint; `pace` seconds for each."""
    total = cast(int, context.job.arguments["total"])
    pace = cast(float, context.job.arguments.get("pace", 0))
    first = cast(int, (context.job.checkpoint or {}).get("next", 0))
    await context.progress(phase="load", done=first, total=total)
    for n in range(first, total):
        await context.raise_if_stopping()
        await write(context, n)
        await context.progress(done=n + 1)
        if pace:
            await asyncio.sleep(pace)
    return {"counted": total, "from": first}


COUNT = JobKind("test.count", count, public_arguments=("total",))
EXCLUSIVE = JobKind("test.exclusive", count, exclusive=True)


@dataclass
class Gate:
    """A handler that stops where a test wants it: sets `reached`, then waits for `opened`."""

    body: Callable[[JobContext], Awaitable[JsonObject]] | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    runs: list[JobView] = field(default_factory=list)
    stopped_by: list[str] = field(default_factory=list)

    async def run(self, context: JobContext) -> JsonObject:
        self.runs.append(context.job)
        self.reached.set()
        try:
            await self.opened.wait()
            return await self.body(context) if self.body is not None else {}
        except BaseException as error:
            self.stopped_by.append(type(error).__name__)
            raise

    @property
    def kind(self) -> JobKind:
        return JobKind("test.gate", self.run)


async def expire_lease(db: Database, job_id: str) -> None:
    """As if the job's process had been silent for longer than its lease."""
    await db.execute_raw(
        "UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1::uuid", job_id
    )
