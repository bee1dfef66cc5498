"""Options and results of comparisons."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel
from pydantic.alias_generators import to_camel

from core.http.request.fields import is_none
from core.http.request.input import Input
from features.imports.schemas import SAMPLES, Table, in_lines

ComparedSource = Literal["lowdb", "questdb", "postgres"]
DifferenceKind = Literal["missing", "different", "extra", "unusable"]


class VerifyForm(Input):
    """Options of a comparison."""

    model_config = ConfigDict(extra="forbid")

    source: ComparedSource = Field(description="What the file is, as for an import")


class DifferingField(BaseModel):
    """Column with its value in the source and here."""

    name: str
    source: JsonValue
    here: JsonValue


class Difference(BaseModel):
    """Difference between source and table. missing: only the source has the record. extra: only the table
    has. unusable: the record cannot be taken over, for a `reason`. different: by the columns in `fields`.
    """

    kind: DifferenceKind
    id: str
    reason: Annotated[str | None, Field(exclude_if=is_none)] = None
    fields: list[DifferingField] = []


class Compared(BaseModel):
    """Result of a comparison. `absent` tables of a registry are not in the source, and were not compared."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    filename: str
    records: int = 0
    stored: int = 0
    differences: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    unusable: int = 0
    absent: list[Table] = []
    first_differences: list[Difference] = []

    def add(self, found: Difference) -> None:
        self.differences += 1
        setattr(self, found.kind, getattr(self, found.kind) + 1)
        if len(self.first_differences) < SAMPLES:
            self.first_differences.append(found)


class DifferenceLines(RootModel[list[Difference]]):
    """Differences as they were found, one JSON object a line."""

    model_config = ConfigDict(json_schema_extra=in_lines)
