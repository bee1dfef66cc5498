"""Changes for other slices: the forms in which they are told."""

from features.changes.schemas import STREAM, Change, Dropped

__all__ = ["STREAM", "Change", "Dropped"]
