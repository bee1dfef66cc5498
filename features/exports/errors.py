"""Errors of exports, each with its permanent code. Messages name a file without its folder."""

from core.errors import Invalid, NotFound, Unavailable


class ExportNotFound(NotFound, code="exports.not_found"):
    """The export does not exist, or its file was removed when a later one began."""


class TargetUnusable(Invalid, code="exports.target_unusable"):
    """The file cannot be written at the path that was asked for."""


class ExportNotStored(Unavailable, code="exports.not_stored"):
    """The disk is full, read-only or gone."""
