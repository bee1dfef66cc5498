"""Changes in the source since the last import."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from core.database.client import Database
from core.errors import Conflict
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.previous import FOUND, UNSEEN, Previous, known
from features.imports.pipeline.spool import UNCHANGED, Line, joined
from features.imports.queries import journal
from features.imports.queries.bulk import BulkTable, Verdict
from features.imports.schemas import Changes, RowReason

REASONS: Final[Mapping[Verdict, str]] = {
    "deleted": "was deleted here and has changed in the source",
    "edited": "has changed here and in the source",
    "taken": "is new in the source, but another one is stored under this id",
}


async def left(
    db: Database, runs: Sequence[str], rows: BulkTable, records: Previous
) -> AsyncIterator[list[tuple[str, str, bool]]]:
    """Batches of (id, digest, vanished) of the earlier records that the current source does not have in a
    usable form. A record that has vanished there and was deleted here is settled, and left out.
    """
    told = SeenIds()
    async for some in known(db, runs, rows.declared.entity):
        entries = [
            (identifier, digest, state == UNSEEN)
            for identifier, digest in some
            if (state := records.state_of(identifier)) != FOUND and told.add(identifier, 0) is None
        ]
        vanished = [identifier for identifier, _, gone in entries if gone]
        here = frozenset(await rows.existing(db, vanished)) if vanished else frozenset()
        yield [each for each in entries if not each[2] or each[0] in here]


async def earlier_runs(db: Database, source: str, kinds: Sequence[str]) -> list[str]:
    """Job ids of finished imports of these kinds, newest first. Raises Conflict, naming the source."""
    runs = await journal.finished_runs(db, *kinds)
    if not runs:
        raise Conflict(
            f"No {source} has been imported yet, so there is no last time; import it as a whole",
            code="imports.no_earlier_import",
        )
    return runs


async def verdicts_on(
    db: Database, rows: BulkTable, lines: Sequence[Line], *, since_last: bool
) -> dict[str, Verdict]:
    """Verdicts by id on the lines' rows, which are locked if `db` is a transaction. Unless only changes since
    the last import are wanted, only whole rows agree.
    """
    entries = joined(
        b'{"id":%b,"digest":"%b","content":"%b","base":%b,"moved":%b}'
        % (
            line.id,
            line.digest,
            rows.content_digest(line.row).encode() if since_last else b"",
            b'"%b"' % line.base if line.base else b"null",
            b"false" if line.kind == UNCHANGED else b"true",
        )
        for line in lines
    )
    return await rows.verdicts(db, entries)


async def foreseen(db: Database, rows: BulkTable, lines: Sequence[Line], changes: Changes) -> Changes:
    """Changes with the outcome that these lines would have, were they imported now."""
    asked = [line for line in lines if line.row]
    verdicts = await verdicts_on(db, rows, asked, since_last=True) if asked else {}
    conflicts = [
        RowReason(id=row_id, reason=REASONS[each]) for row_id, each in verdicts.items() if each in REASONS
    ]
    counted = list(verdicts.values())
    return changes.plus(
        new=counted.count("new"),
        changed=counted.count("changed"),
        unchanged=counted.count("same") + len(lines) - len(asked),
        conflicts=len(conflicts),
        first_conflicts=conflicts,
    )
