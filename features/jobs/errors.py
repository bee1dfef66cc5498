"""Errors of this slice, each with its permanent code; those of jobs are in `core.jobs`."""

from typing import ClassVar

from core.errors import Unavailable


class TooManyStreams(Unavailable, code="jobs.too_many_streams"):
    """This process has as many open event streams as it can feed."""

    default_retry_after: ClassVar[float] = 5.0

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} event streams are open already; try again later, or read the job itself")
