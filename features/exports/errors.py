"""Errors of exports, each with its permanent code. Messages name a file without its folder."""

from core.errors import Invalid, NotFound, Unavailable


class ExportNotFound(NotFound):
    """The export does not exist, or its file was removed when a later one began."""

    code = "exports.not_found"


class TargetUnusable(Invalid):
    """The file cannot be written at the path that was asked for."""

    code = "exports.target_unusable"


class ExportNotStored(Unavailable):
    """The disk is full, read-only or gone."""

    code = "exports.not_stored"
