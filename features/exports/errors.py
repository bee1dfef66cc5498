"""What can go wrong with an export. Messages name the file by its own name only, never by its folder."""

from core.errors import Conflict, Invalid, NotFound, Unavailable


class ExportNotFound(NotFound):
    """There is no such export, or its file was removed when a later one began."""

    code = "exports.not_found"


class ExportNotReady(Conflict):
    code = "exports.not_ready"


class TargetUnusable(Invalid):
    """The file cannot be written where it was asked for."""

    code = "exports.target_unusable"


class ExportNotStored(Unavailable):
    """The disk is full, read-only or gone."""

    code = "exports.not_stored"
