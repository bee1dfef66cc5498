"""The tables that take an old registry in: how each is written, proved and taken back."""

from dataclasses import dataclass
from typing import Final

from core.database.bulk import BulkTable
from core.database.reversal import ReversibleTable
from features.files import api as files
from features.ideas import api as ideas
from features.imports.registry.schemas import FILES, IDEAS, SYSTEMS, Table
from features.systems import api as systems


@dataclass(frozen=True, slots=True)
class Target:
    """`entity` is what its pages, images and audit entries go by, `tags` what its cached answers hang on."""

    entity: str
    takeover: BulkTable
    reversal: ReversibleTable
    tags: tuple[str, ...]


TARGETS: Final[dict[Table, Target]] = {
    SYSTEMS: Target(
        systems.ENTITY, systems.TAKEOVER, systems.REVERSAL, (*systems.SYSTEM_TAGS, *systems.LIST_TAGS)
    ),
    IDEAS: Target(ideas.ENTITY, ideas.TAKEOVER, ideas.REVERSAL, ideas.BULK_TAGS),
    FILES: Target(files.ENTITY, files.TAKEOVER, files.REVERSAL, files.FILE_TAGS),
}
"""In the order in which they are written, and their rows locked."""
