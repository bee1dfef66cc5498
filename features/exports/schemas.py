"""Arguments and results of exports."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from core.http.request.input import Input
from features.imports.api import RowReason, Store, Table

Form = Literal["lowdb", "registry", "csv"]
ListName = Literal["items", "ideas", "systems", "files", "audit"]

KINDS: Final[dict[Form, str]] = {"lowdb": "export.lowdb", "registry": "export.registry", "csv": "export.csv"}
FILENAMES: Final[dict[str, str]] = {"lowdb": "library.json", "registry": "registry.zip"}
NAMED: Final = 20
"""Upper bound of the decisions that are named."""


class Arguments(BaseModel):
    """Arguments of the job. `path` is the caller's own file or folder; None means one in the job's folder."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    filename: str
    path: str | None = None
    list: ListName | None = None


class Wanted(Input):
    """Parameters of an export. A CSV file is of one list."""

    form: Form = Field(
        default="lowdb",
        description="`lowdb`: the items as a LowDB file; `registry`: a ZIP file with CSV of the old schema "
        "and the files; `csv`: a list",
    )
    list: ListName | None = Field(
        default=None, validate_default=True, description="The list, with `form=csv`"
    )

    @field_validator("list")
    @classmethod
    def _of_csv(cls, value: ListName | None, given: ValidationInfo) -> ListName | None:
        if "form" in given.data and (given.data["form"] == "csv") != (value is not None):
            raise ValueError("goes with form=csv, which needs it")
        return value

    @property
    def filename(self) -> str:
        """Name of a file of ours."""
        return f"{self.list}.csv" if self.list else FILENAMES[self.form]


class LowDbFile(RootModel[dict[str, JsonValue] | list[JsonValue]]):
    """An object with the list of items, or the list alone: in the layout of the newest imported file."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [{"id": "1", "title": "Dark mode"}]}})


class FileResult(BaseModel):
    """Result of a job that writes one file."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    filename: str
    records: int = 0
    bytes: int = 0
    sha256: str = ""
    seconds: float = 0

    @property
    def done(self) -> int:
        return self.records


class Result(FileResult):
    """Result of the job. Of the `records` written: `unchanged` since the import, `changed` since, `added`
    here, `unusable` as in the file because they could not be taken over. `removed` ones were deleted here.
    `replaced`: number of ids whose newest record could not be taken over and that were written as they are
    here. `first_decided` names such ids that are stored here too, with which of the two was written.
    """

    unchanged: int = 0
    changed: int = 0
    added: int = 0
    unusable: int = 0
    replaced: int = 0
    removed: int = 0
    first_decided: list[RowReason] = []

    @property
    def done(self) -> int:
        return self.records - self.unusable


class TableResult(BaseModel):
    """Result of one table. Of the `rows` written: `unchanged` since the import, `translated` back because
    they have changed since, `added` here, `unusable` as the source had them because they were not taken over.
    `removed` ones were deleted here. `inexpressible`: rows of which the old schema cannot say everything.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    rows: int = 0
    unchanged: int = 0
    translated: int = 0
    added: int = 0
    unusable: int = 0
    removed: int = 0
    inexpressible: int = 0


class RegistryResult(TableResult):
    """Result of the job: the figures of all tables together, and of each. `first_decided` names rows of which
    the old schema cannot say everything, with the reason.
    """

    filename: str
    store: Store = "postgres"
    tables: dict[Table, TableResult] = {}
    first_decided: list[RowReason] = []
    bytes: int = 0
    seconds: float = 0

    @property
    def done(self) -> int:
        return self.rows
