"""Errors of imports, each with its permanent code. Messages name a file without its folder."""

from core.errors import Conflict, FieldError, Invalid, NotFound, TooLarge, Unavailable


class SourceMalformed(Invalid):
    """The source is not one complete document of a known form. `offset` in bytes from the file's start."""

    code = "imports.source_malformed"

    def __init__(self, problem: str, *, offset: int, path: str | None = None) -> None:
        where = f" in {path}" if path else ""
        super().__init__(f"{problem} (byte {offset}{where})")
        self.problem = problem
        self.offset = offset
        self.path = path


class SourceUnavailable(Invalid):
    """The source does not exist or cannot be read."""

    code = "imports.source_unavailable"


class SchemaUnknown(Invalid):
    """The tables are of no schema that the old registry had, or of several."""

    code = "imports.schema_unknown"


class ColumnsUnusable(Invalid):
    """The columns of a CSV file do not give what a row needs."""

    code = "imports.columns_unusable"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, details=[FieldError("map", problem)])


class SourceChanged(Conflict):
    """The source or the spool has changed since the job began."""

    code = "imports.source_changed"


class UploadInvalid(Invalid):
    """The form cannot be used: no file, an empty one, an unknown option."""

    code = "imports.upload_invalid"


class StorageUnavailable(Unavailable):
    """The disk is full, read-only or gone."""

    code = "imports.storage_unavailable"


class UploadTooLarge(TooLarge):
    code = "imports.upload_too_large"


class RowsExist(Conflict):
    """`on_conflict=fail` and at least one row is already there."""

    code = "imports.rows_exist"


class SomebodyWasQuicker(Conflict):
    """A value that must be unique is taken, or what a row refers to is gone, since that was looked at."""

    code = "database.somebody_was_quicker"

    def __init__(self) -> None:
        super().__init__("Somebody changed what the rows depend on at the same moment; begin again")


class ImportNotFound(NotFound):
    code = "imports.not_found"


class ImportNotUndoable(Conflict):
    """The import is still running, or nothing of it is left to take back."""

    code = "imports.not_undoable"
