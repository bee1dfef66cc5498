"""Errors of files, each with its permanent code. Names are repeated as the client sent them."""

from collections.abc import Sequence

from core.errors import FieldError, Invalid, NotFound, PreconditionFailed, TooLarge, Unavailable


class FileNotFound(NotFound, code="files.not_found"):
    def __init__(self, file_id: str) -> None:
        super().__init__(f"File with id {file_id} not found")


class FileChanged(PreconditionFailed, code="files.changed"):
    """The file has another version than its writer has seen."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"File with id {file_id} was changed meanwhile: read it again")


class ContentMissing(NotFound, code="files.content_missing"):
    """The row exists, but its object is missing or is not the one that was stored."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"The content of file {file_id} is missing")


class FileTooLarge(TooLarge, code="files.too_large"):
    def __init__(self, limit: int) -> None:
        super().__init__(f"File size exceeds the limit of {limit} bytes")


class FileRefused(Invalid, code="files.refused"):
    """The name or the content of one file is not allowed."""


class UploadInvalid(Invalid, code="files.upload_invalid"):
    """The form cannot be used: no file, too many, or all of them refused."""

    def __init__(self, message: str, details: Sequence[FieldError] = ()) -> None:
        super().__init__(message, details=details)


class UploadTooSlow(Invalid, code="files.upload_too_slow"):
    """The form took so long that its first objects may count as orphans."""


class IdeaUnknown(Invalid, code="files.unknown_idea"):
    def __init__(self, idea_id: str | None) -> None:
        wrong = FieldError("idea_id", "does not name an idea", idea_id)
        super().__init__("Referenced idea not found", details=[wrong])


class SystemUnknown(Invalid, code="files.unknown_system"):
    def __init__(self, system_id: str) -> None:
        wrong = FieldError("system_id", "does not name a system", system_id)
        super().__init__("Referenced system not found", details=[wrong])


class StorageUnavailable(Unavailable, code="files.storage_unavailable"):
    """The folder or the bucket cannot be reached, read or written."""

    default_retry_after = 5.0
