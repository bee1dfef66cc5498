"""The LowDB file as a source of items."""

from typing import Final

from features.imports.lowdb.validator import ItemValidator
from features.imports.pipeline.source import FileSource, Target
from features.imports.pipeline.validator import Sink, Validator
from features.imports.schemas import KIND, Words
from features.items import api as items

TARGETS: Final = {"items": Target.of(items.TAKEOVER, at_once=4)}
ITEMS: Final = TARGETS["items"].rows
_FIELDS: Final = {"created_at": "createdAt", "updated_at": "updatedAt"}


class LowDbSource(FileSource):
    words = Words("LowDB file", "records", "items")
    kinds = (KIND,)
    targets = TARGETS

    def field(self, column: str) -> str:
        return _FIELDS.get(column) or super().field(column)

    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        validator = ItemValidator(self.open(), self._path.stat().st_size, sink)
        self.reader = validator.reader
        return validator
