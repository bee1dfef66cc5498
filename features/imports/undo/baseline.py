"""Baseline of later imports: forgets records that are taken back, so that the next import finds them new."""

from collections.abc import Sequence

import orjson

from core.database.client import Database
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.previous import recall
from features.imports.queries import journal
from features.imports.queries.tables import REVERSIBLE
from features.imports.schemas import FAMILIES, Entry, remembered


async def forget_in_later_runs(tx: Database, job_id: str) -> None:
    """Reset the digests of this import's rows in imports that finished later to what they were before it; the
    digest of a row that one of them wrote itself since stays.
    """
    for kinds in FAMILIES:
        runs = await journal.runs(tx, *kinds)
        places = [place for place, run in enumerate(runs) if run.job_id == job_id]
        later = [run.job_id for run in reversed(runs[: places[0]]) if run.finished_at] if places else []
        if later:
            earlier = [run.job_id for run in runs[places[0] + 1 :] if run.finished_at]
            for table in REVERSIBLE:
                await _forget(tx, table.entity, job_id, later, earlier)


async def _forget(
    tx: Database, entity: str, job_id: str, later: Sequence[str], earlier: Sequence[str]
) -> None:
    taken, rewritten = SeenIds(), SeenIds()
    async for chunk in journal.chunks(tx, job_id, entity):
        for row_id in chunk.written_ids:
            taken.add(row_id, 0)
    former = await recall(tx, earlier, entity)

    def was(entry: Entry) -> Entry:
        row_id, digest, _, lead = entry
        if not digest or row_id is None or row_id not in taken or row_id in rewritten:
            return entry
        return row_id, former.digest_of(row_id) or journal.UNKNOWN, None, lead

    for run_id in later:
        for part in (entity, remembered(entity)):
            async for chunk in journal.chunks(tx, run_id, part):
                for row_id in chunk.written_ids if part == entity else ():
                    rewritten.add(row_id, 0)
                entries = chunk.entries
                if (now := [was(entry) for entry in entries]) != entries:
                    content = orjson.dumps(now).decode()
                    await journal.replace_content(tx, run_id, part, chunk.number, content)
