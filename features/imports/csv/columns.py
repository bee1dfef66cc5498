"""Columns of CSV files and the fields that they become, of each list that they can go into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, create_model
from pydantic.alias_generators import to_camel

from core.http.request.fields import NotBlank, Timestamp
from features.ideas import api as ideas
from features.imports.errors import ColumnsUnusable
from features.imports.queries.bulk import BulkTable
from features.imports.queries.tables import IDEAS, ITEMS, SYSTEMS
from features.imports.schemas import Into
from features.items import api as items
from features.systems import api as systems


@dataclass(frozen=True, slots=True)
class CsvTable:
    """List that CSV files go into. `model` is that of a new row, and of what imports bring besides, `part`
    that of what changes in a row; `fields` has its columns by the names that they have in the API.
    """

    rows: BulkTable
    model: type[BaseModel]
    part: type[BaseModel]

    @property
    def fields(self) -> dict[str, str]:
        columns = self.rows.declared.columns
        return {to_camel(name): name for name in columns if name in self.model.model_fields}

    def with_only(self, fields: Mapping[str, str]) -> BulkTable:
        """Table of a file with these fields: in all other columns rows keep what they have, new ones get
        what the table gives them.
        """
        declared = self.rows.declared
        known = {declared.key, *(self.fields[field] for field in fields)}
        return self.rows.without(declared.columns.keys() - known)


def _table(rows: BulkTable, new: type[BaseModel], id_length: int, **more: Any) -> CsvTable:
    moment = (Timestamp | None, None)
    row_id = (Annotated[NotBlank, Field(max_length=id_length)] | None, None)
    fields: dict[str, Any] = {"id": row_id, "created_at": moment, "updated_at": moment, **more}
    model = create_model(f"{new.__name__}Row", __base__=new, **fields)
    required: dict[str, Any] = {
        name: (Annotated[field.annotation, field], None)
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    return CsvTable(rows, model, create_model(f"{new.__name__}Part", __base__=model, **required))


TABLES: Final[Mapping[Into, CsvTable]] = {
    "items": _table(ITEMS, items.CreateItem, items.ID_LENGTH, status=(items.Status, "new")),
    "ideas": _table(IDEAS, ideas.CreateIdea, ideas.ID_LENGTH),
    "systems": _table(SYSTEMS, systems.CreateSystem, systems.ID_LENGTH),
}


def resolved(
    into: Into, wanted: Mapping[str, str], header: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Column of each field, and the columns that become none. A column that is called as a field becomes it,
    unless one of them is `wanted` otherwise. Raises ColumnsUnusable.
    """
    table = TABLES[into]
    spellings = {_plain(field): field for field in table.fields}
    settled = {_plain(name) for name in wanted}
    called = {
        column: column
        for column in header
        if _plain(column) in spellings.keys() - settled and column not in wanted.values()
    }
    columns: dict[str, str] = {}
    for name, column in (*wanted.items(), *called.items()):
        if (field := spellings.get(_plain(name))) is None:
            raise ColumnsUnusable(f"{into} have no field {name}; it must be one of {', '.join(table.fields)}")
        if column == "":
            continue
        if (found := header.count(column)) != 1:
            problem = "no column" if not found else "more than one column"
            raise ColumnsUnusable(f"The file has {problem} {column}; its columns are {_listed(header)}")
        if columns.setdefault(field, column) != column:
            raise ColumnsUnusable(f"{field} would be {columns[field]} and {column}; map one of them")
    required = [field for field, name in table.fields.items() if table.model.model_fields[name].is_required()]
    if missing := [field for field in required if field not in columns]:
        example = f"{missing[0]}={next((name for name in header if name), 'NAME')}"
        raise ColumnsUnusable(
            f"No column is mapped to {', '.join(missing)}; the file has {_listed(header)}: "
            f"map them, as in {example}"
        )
    return columns, [name for name in header if name and name not in columns.values()]


def _plain(name: str) -> str:
    """Spelling-free name: `created_at`, `createdAt` and `Created at` are one."""
    return name.replace("_", "").replace(" ", "").casefold()


def _listed(header: Sequence[str]) -> str:
    return ", ".join(name for name in header if name)
