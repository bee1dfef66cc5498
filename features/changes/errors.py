"""Errors of changes, each with its permanent code."""

from typing import ClassVar

from core.errors import Gone, Unavailable


class PositionGone(Gone, code="changes.position_gone"):
    """Events after the position may have been deleted."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"Changes after position {position} are not all kept any more: read anew what you keep, "
            "and go on without a position"
        )


class TooManyStreams(Unavailable, code="changes.too_many_streams"):
    """This process has as many open streams as it can feed."""

    default_retry_after: ClassVar[float] = 5.0

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} streams of changes are open already; try again later, or ask for pages")
