"""Errors of imports, each with its permanent code. Messages name a file without its folder."""

from core.errors import Conflict, FieldError, Invalid, NotFound, TooLarge, Unavailable


class SourceMalformed(Invalid, code="imports.source_malformed"):
    """The source is not one complete document of a known form. `offset` in bytes from the file's start."""

    def __init__(self, problem: str, *, offset: int, path: str | None = None) -> None:
        where = f" in {path}" if path else ""
        super().__init__(f"{problem} (byte {offset}{where})")
        self.problem = problem
        self.offset = offset
        self.path = path


class SourceUnavailable(Invalid, code="imports.source_unavailable"):
    """The source does not exist or cannot be read."""


class SchemaUnknown(Invalid, code="imports.schema_unknown"):
    """The tables are of no schema that the old registry had, or of several."""


class ColumnsUnusable(Invalid, code="imports.columns_unusable"):
    """The columns of a CSV file do not give what a row needs."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, details=[FieldError("map", problem)])


class SourceChanged(Conflict, code="imports.source_changed"):
    """The source or the spool has changed since the job began."""


class UploadInvalid(Invalid, code="imports.upload_invalid"):
    """The form cannot be used: no file, an empty one, an unknown option."""


class StorageUnavailable(Unavailable, code="imports.storage_unavailable"):
    """The disk is full, read-only or gone."""


class UploadTooLarge(TooLarge, code="imports.upload_too_large"):
    """The upload has more bytes than IMPORT_MAX_BYTES."""


class RowsExist(Conflict, code="imports.rows_exist"):
    """`on_conflict=fail` and at least one row is already there."""


class SomebodyWasQuicker(Conflict, code="database.somebody_was_quicker"):
    """A value that must be unique is taken, or what a row refers to is gone, since that was looked at."""

    def __init__(self) -> None:
        super().__init__("Somebody changed what the rows depend on at the same moment; begin again")


class ImportNotFound(NotFound, code="imports.not_found"):
    """No import has this id."""


class ImportNotUndoable(Conflict, code="imports.not_undoable"):
    """The import is still running, or nothing of it is left to take back."""
