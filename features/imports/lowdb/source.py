"""The LowDB file as a source of items."""

from pathlib import Path
from typing import BinaryIO, Final

from features.imports.errors import SourceChanged, SourceUnavailable
from features.imports.lowdb.validator import ItemValidator
from features.imports.pipeline.source import Source, Target
from features.imports.pipeline.spool import sha256_of
from features.imports.pipeline.validator import Sink, Validator
from features.imports.schemas import KIND, LowDbArguments, Words
from features.imports.storage.folders import SOURCE
from features.items import api as items

TARGETS: Final = {"items": Target.of(items.TAKEOVER, at_once=4)}
ITEMS: Final = TARGETS["items"].rows
_FIELDS: Final = {"created_at": "createdAt", "updated_at": "updatedAt"}


class LowDbSource(Source):
    words = Words("LowDB file", "records", "items")
    kinds = (KIND,)
    targets = TARGETS

    def __init__(self, arguments: LowDbArguments, folder: Path) -> None:
        super().__init__(arguments, folder)
        self._path = folder / SOURCE if arguments.path is None else Path(arguments.path)
        self._sent = arguments.sha256
        self._file: BinaryIO | None = None
        self._validator: ItemValidator | None = None

    def field(self, column: str) -> str:
        return _FIELDS.get(column) or super().field(column)

    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        path = self._path
        try:
            if not path.is_file():  # opening a pipe could wait for ever, and could not be resumed
                raise SourceUnavailable(
                    f"{path.name} {'is not a file' if path.exists() else 'does not exist'}"
                )
            self._file = path.open("rb")
        except OSError as error:
            raise SourceUnavailable(f"{path.name} cannot be read: {error.strerror}") from error
        self._validator = ItemValidator(self._file, path.stat().st_size, sink)
        return self._validator

    def raise_if_changed(self, known: str | None, *, spooled: bool) -> None:
        if known is None:
            return
        name = self.arguments.filename
        try:
            found = sha256_of(self._path)
        except OSError as error:
            raise SourceUnavailable(f"{self._path.name} cannot be read: {error.strerror}") from error
        if found is None and not spooled:
            raise SourceUnavailable(f"{name} is gone, and so is what was read of it; import it anew")
        if found not in (None, known):
            raise SourceChanged(f"{name} has changed since the import began; begin a new import")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._validator is not None:
            reader = self._validator.reader
            self.sha256, self.bytes, self.ignored = reader.sha256, reader.bytes_read, reader.ignored
            self._validator.forget()

    @property
    def sent(self) -> str | None:
        return self._sent
