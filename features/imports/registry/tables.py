"""Tables that an old registry is imported into: how each is written, verified and taken back."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from features.audit import api as audit
from features.files import api as files
from features.ideas import api as ideas
from features.imports.lowdb.spool import NEW, UNCHANGED, Line, joined
from features.imports.queries.bulk import BulkTable
from features.imports.queries.reversal import ReversibleTable
from features.imports.registry.schemas import AUDIT, FILES, IDEAS, SYSTEMS, Table
from features.systems import api as systems

Takeover: TypeAlias = BulkTable | audit.TakenOverEntries


@dataclass(frozen=True, slots=True)
class Target:
    """Table of an import. `entity` names it in manifest chunks, images and audit entries; writes to it
    invalidate `tags`. Without a `reversal` its rows stay when the import is taken back.
    """

    entity: str
    takeover: Takeover
    reversal: ReversibleTable | None
    tags: tuple[str, ...]


TARGETS: Final[dict[Table, Target]] = {
    SYSTEMS: Target(
        systems.ENTITY,
        BulkTable(systems.TAKEOVER),
        ReversibleTable(systems.TAKEOVER),
        (*systems.SYSTEM_TAGS, *systems.LIST_TAGS),
    ),
    IDEAS: Target(ideas.ENTITY, BulkTable(ideas.TAKEOVER), ReversibleTable(ideas.TAKEOVER), ideas.BULK_TAGS),
    FILES: Target(files.ENTITY, BulkTable(files.TAKEOVER), ReversibleTable(files.TAKEOVER), files.FILE_TAGS),
    AUDIT: Target(audit.ENTITY, audit.TAKEOVER, None, audit.AUDIT_TAGS),
}
"""Targets in the order in which they are written, and their rows locked."""

_NOT_IN_EVERY_SCHEMA: Final[Mapping[Table, frozenset[str]]] = {
    SYSTEMS: frozenset(
        {
            *("port", "type", "owner", "version", "metadata", "icon", "color", "host", "last_checked"),
            "response_time_ms",
        }
    ),
    IDEAS: frozenset({"system_id", "estimated_hours", "actual_hours", "due_date"}),
    FILES: frozenset({"description", "system_id", "is_public", "download_count"}),
    AUDIT: frozenset(),
}


def takeover_of(table: Table, columns: Collection[str]) -> Takeover:
    """Takeover of a source with these columns: values that it cannot know stay as they are."""
    return TARGETS[table].takeover.without(_NOT_IN_EVERY_SCHEMA[table].difference(columns))


def asked(takeover: Takeover, lines: Iterable[Line], *, since_last: bool) -> str:
    """Argument of `Takeover.verdicts` for the lines of a spool. Unless only changes since the last import are
    wanted, only whole rows agree.
    """
    return joined(
        b'{"id":%b,"digest":"%b","content":"%b","known":%b,"moved":%b}'
        % (
            line.id,
            line.rest,
            takeover.content_digest(orjson.loads(line.row)).encode() if since_last else b"",
            b"true" if line.kind != NEW else b"false",
            b"true" if line.kind != UNCHANGED else b"false",
        )
        for line in lines
    )
