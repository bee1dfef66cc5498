"""A process of its own that works on jobs until it is killed: `python -m tests.jobs.worker [JOB_ID]`.

With an id it runs that job; without one it picks up what others have left behind.
"""

import asyncio
import sys

from core.cache import Cache
from core.database.client import Database
from core.jobs import Jobs
from core.settings import load_settings
from tests.jobs.handlers import COUNT


async def main(job_id: str | None) -> None:
    settings = load_settings()
    db = Database.from_settings(settings)
    await db.connect()
    jobs = Jobs(db, Cache(settings), settings, [COUNT])
    if job_id is not None:
        await jobs.run(job_id)
        return
    await jobs.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
