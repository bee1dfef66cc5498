"""Errors of files, each with its permanent code. Names are repeated as the client sent them."""

from collections.abc import Sequence

from core.errors import FieldError, Invalid, NotFound, PreconditionFailed, TooLarge, Unavailable


class FileNotFound(NotFound):
    code = "files.not_found"

    def __init__(self, file_id: str) -> None:
        super().__init__(f"File with id {file_id} not found")


class FileChanged(PreconditionFailed):
    """The file has another version than its writer has seen."""

    code = "files.changed"

    def __init__(self, file_id: str) -> None:
        super().__init__(f"File with id {file_id} was changed meanwhile: read it again")


class ContentMissing(NotFound):
    """The row exists, but its object is missing or is not the one that was stored."""

    code = "files.content_missing"

    def __init__(self, file_id: str) -> None:
        super().__init__(f"The content of file {file_id} is missing")


class FileTooLarge(TooLarge):
    code = "files.too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"File size exceeds the limit of {limit} bytes")


class FileRefused(Invalid):
    """The name or the content of one file is not allowed."""

    code = "files.refused"


class UploadInvalid(Invalid):
    """The form cannot be used: no file, too many, or all of them refused."""

    code = "files.upload_invalid"

    def __init__(self, message: str, details: Sequence[FieldError] = ()) -> None:
        super().__init__(message, details=details)


class UploadTooSlow(Invalid):
    """The form took so long that its first objects may count as orphans."""

    code = "files.upload_too_slow"


class IdeaUnknown(Invalid):
    code = "files.unknown_idea"

    def __init__(self) -> None:
        super().__init__("Referenced idea not found")


class SystemUnknown(Invalid):
    code = "files.unknown_system"

    def __init__(self) -> None:
        super().__init__("Referenced system not found")


class StorageUnavailable(Unavailable):
    """The folder or the bucket cannot be reached, read or written."""

    code = "files.storage_unavailable"
    default_retry_after = 5.0
