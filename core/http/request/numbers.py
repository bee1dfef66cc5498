"""Fractional numbers of responses."""

from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

LARGEST: Final = 1e15


def _in_range(value: float) -> float:
    if not 0 <= value <= LARGEST:
        raise PydanticCustomError("measure", "must be between 0 and 1e15")
    return value


Measure = Annotated[float, AfterValidator(_in_range)]
"""Number between 0 and 1e15, where all programs that write the fewest digits write the same ones. Beyond
2**53 the middle between two neighbours, which some take for one of them, can have fewer digits than both.
"""
