"""The LowDB file as a source of items."""

from typing import Final

from features.imports.lowdb.validator import ItemValidator
from features.imports.pipeline.source import FileSource, Words
from features.imports.pipeline.validator import Sink, Validator
from features.imports.queries.tables import ITEMS
from features.imports.schemas import KIND

_FIELDS: Final = {"created_at": "createdAt", "updated_at": "updatedAt"}


class LowDbSource(FileSource):
    words = Words("LowDB file", "records", "items")
    kinds = (KIND,)
    tables = {"items": ITEMS}  # noqa: RUF012

    def field(self, column: str) -> str:
        return _FIELDS.get(column) or super().field(column)

    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        validator = ItemValidator(self.open(), self._path.stat().st_size, sink)
        self.reader = validator.reader
        return validator
