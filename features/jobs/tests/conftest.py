"""Jobs to look at, run by the test itself: of a kind that the app does not know and so leaves alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from core.cache import Cache
from core.database.client import Author, Database
from core.jobs import JobContext, JobFailed, JobKind, Jobs, JobView, JsonObject
from core.settings import Settings


@dataclass
class Work:
    """A runner, and the handler's two hands: it waits at `opened` after its first report."""

    db: Database
    jobs: Jobs = field(init=False)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, context: JobContext) -> JsonObject:
        await context.progress(phase="load", done=5, total=10, rejected=1)
        self.reached.set()
        while not self.opened.is_set():
            await context.raise_if_stopping()
        await context.progress(done=10)
        if context.job.arguments.get("fails"):
            raise JobFailed("Row 7 differs")
        return {"imported": 9, "note": None}

    async def enqueue(self, name: str = "ana", **arguments: bool | str) -> JobView:
        return await self.jobs.enqueue(self.db, "test.http", {**arguments}, Author(name))

    async def finished(self, name: str = "ana", **arguments: bool | str) -> JobView:
        self.opened.set()
        return await self.jobs.run((await self.enqueue(name, **arguments)).id)


@pytest.fixture
async def work(db: Database, settings: Settings) -> AsyncIterator[Work]:
    work = Work(db)
    kind = JobKind("test.http", work.handle, public_arguments=("filename",))
    quick = settings.model_copy(update={"job_heartbeat_s": 0.05, "shutdown_grace_s": 2})
    work.jobs = Jobs(db, Cache(quick), quick, [kind])
    yield work
    await work.jobs.stop()


@pytest.fixture
def known_to_app(monkeypatch: pytest.MonkeyPatch, work: Work) -> Callable[[Jobs], None]:
    """Let the app show the arguments of the test's kind, without letting it claim the job."""

    def know(app_jobs: Jobs) -> None:
        monkeypatch.setattr(app_jobs, "public_arguments", work.jobs.public_arguments)

    return know
