"""Changes for other slices: the form in which they are told, and `Streams` for events of their own."""

from features.changes.schemas import STREAM, Change
from features.changes.streams.reader import Admitted, Stream, Streams

__all__ = ["STREAM", "Admitted", "Change", "Stream", "Streams"]
