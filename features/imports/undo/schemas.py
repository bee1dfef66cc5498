"""Arguments and results of undos."""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.request.fields import is_none
from core.http.request.input import Input
from features.imports.queries.references import Conflict

NAMED_CONFLICTS: Final = 100


class UndoChoices(Input):
    """Options of an undo."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    keep_changed: bool = Field(
        default=False, description="Leave what has changed since, and what it needs, and take back the rest"
    )
    dry_run: bool = Field(default=False, description="Only tell what would happen")


class UndoArguments(UndoChoices):
    import_job_id: str


class Changed(BaseModel):
    """Row that has changed since the import, or that would change without the import, and `what` it did."""

    entity: str
    id: str
    what: str


class Undone(BaseModel):
    """Result of an undo. `gone`: rows of the import that somebody had deleted before. `kept`: rows that stay
    because of what was changed since; the first of them are named.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    import_job_id: str
    deleted: int = 0
    restored: int = 0
    gone: int = 0
    kept: int | None = Field(default=None, exclude_if=is_none)
    first_kept: list[Changed] | None = Field(default=None, exclude_if=is_none)

    def keep(self, entity: str, found: Sequence[Conflict]) -> None:
        self.kept = (self.kept or 0) + len(found)
        self.first_kept = _named(self.first_kept or [], entity, found)


class Conflicts(BaseModel):
    """Why nothing was undone: what stands against it, and how many `rows` the import wrote; the first of the
    conflicts are named.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    import_job_id: str
    rows: int = 0
    count: int = Field(default=0, alias="conflicts")
    first: list[Changed] = Field(default=[], alias="firstConflicts")

    @property
    def sentence(self) -> str:
        named = "; ".join(f"{each.entity} {each.id} {each.what}" for each in self.first[:5])
        if self.count == 1:
            return f"Nothing was undone because of 1 conflict: {named}"
        return f"Nothing was undone because of {self.count:,} conflicts, for example: {named}"

    def add(self, entity: str, found: Sequence[Conflict]) -> None:
        self.count += len(found)
        self.first = _named(self.first, entity, found)


def _named(first: Sequence[Changed], entity: str, more: Sequence[Conflict]) -> list[Changed]:
    return [*first, *(Changed(entity=entity, id=each.id, what=each.what) for each in more)][:NAMED_CONFLICTS]
