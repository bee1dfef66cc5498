"""Comparison of a LowDB file with the items table. It reports every difference and writes nothing."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final, Literal, NamedTuple

import orjson

from core.database.client import Database
from core.database.transaction import unit_of_work
from features.imports.errors import SourceUnavailable
from features.imports.lowdb.identifiers import SeenIds
from features.imports.lowdb.reader import LowDbReader, Record
from features.imports.lowdb.text import KEYS
from features.items.api import InvalidLegacyItem, LegacyItem, canonical_digest, compare, every_id, records

_AT_ONCE: Final = 1000
_TIMEOUT: Final = timedelta(hours=12)
_FIELDS: Final = (*KEYS, "other fields")

Kind = Literal["missing", "different", "extra", "unusable"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between source and table. missing: only the source has the record. extra: only the table
    has. unusable: the record cannot be taken over; its only field is the reason. Fields are (name, in the
    source, in the table), values as JSON.
    """

    kind: Kind
    id: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Compared:
    records: int = 0
    stored: int = 0
    differences: int = 0


class _Found(NamedTuple):
    item: LegacyItem | None
    unusable: Difference | None


async def compare_file(db: Database, path: Path, tell: Callable[[Difference], None]) -> Compared:
    """Compare a file with the table in one snapshot; calls `tell` with each difference as it is found.

    Raises SourceUnavailable or SourceMalformed, the latter after the differences of the part before.
    """

    async def work(tx: Database) -> Compared:
        return await _compare(tx, path, tell)

    return await unit_of_work(db, work, timeout=_TIMEOUT, isolation="RepeatableRead")


async def _compare(tx: Database, path: Path, tell: Callable[[Difference], None]) -> Compared:
    compared, seen = Compared(), SeenIds()

    def told(differences: Sequence[Difference]) -> None:
        compared.differences += len(differences)
        for each in differences:
            tell(each)

    remaining = _read(path, seen)
    while some := await asyncio.to_thread(lambda: list(islice(remaining, _AT_ONCE))):
        compared.records += len(some)
        told([each.unusable for each in some if each.unusable is not None])
        told(await _differences(tx, [each.item for each in some if each.item is not None]))
    async for ids in every_id(tx):
        compared.stored += len(ids)
        told([Difference("extra", item_id) for item_id in ids if item_id not in seen])
    return compared


def _read(path: Path, seen: SeenIds) -> Iterator[_Found]:
    try:
        if not path.is_file():
            raise SourceUnavailable(f"{path.name} {'is not a file' if path.exists() else 'does not exist'}")
        file = path.open("rb")
    except OSError as error:
        raise SourceUnavailable(f"{path.name} cannot be read: {error.strerror}") from error
    with file:
        reader = LowDbReader(file)
        for record in reader:
            try:
                item = LegacyItem.parse(record.value)
                reason = _doubt(record, item, seen, reader)
            except InvalidLegacyItem as error:
                reason = error.message
            if reason is None:
                yield _Found(item, None)
            else:
                fields = [("reason", reason, "")]
                yield _Found(None, Difference("unusable", reader.path(record.position), fields))


def _doubt(record: Record, item: LegacyItem, seen: SeenIds, reader: LowDbReader) -> str | None:
    if record.flaws:
        return "; ".join(record.flaws)
    first = seen.add(item.id, record.position)
    return None if first is None else f"id: is already used by {reader.path(first)}"


async def _differences(tx: Database, found: Sequence[LegacyItem]) -> list[Difference]:
    proofs = [(item.id, canonical_digest(item.row())) for item in found]
    mismatches = {each.id: each for each in await compare(tx, orjson.dumps(proofs).decode())}
    stored = await records(tx, [each.id for each in mismatches.values() if not each.missing])
    return [
        Difference("different", item.id, _fields(item, stored[item.id]))
        if item.id in stored
        else Difference("missing", item.id)
        for item in found
        if item.id in mismatches
    ]


def _fields(item: LegacyItem, stored: LegacyItem) -> list[tuple[str, str, str]]:
    pairs = zip(_FIELDS, item, stored, strict=True)
    return [
        (name, json.dumps(source, ensure_ascii=False), json.dumps(here, ensure_ascii=False))
        for name, source, here in pairs
        if source != here
    ]
