"""Strings that PostgreSQL can hold: no NUL character and no lone surrogate.

JSON can carry both (`"\\u0000"`, `"\\ud800"`), and neither reaches the database: they are refused with the
field's name. Use `Text` for every string that is stored or looked up, path parameters included.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

# What JavaScript's trim() removes; the clients were written against it.
WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

UNTRIMMED: Final = "untrimmed"
"""Context of a validation that leaves white space where it is: rows of an old service have it."""


def fault_of(value: str) -> str | None:
    """The reason why the database could not hold this text, None when it can."""
    if "\0" in value:
        return "must not contain the NUL character"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "must be valid Unicode text (it contains a lone surrogate)"
    return None


def _check(value: object) -> object:
    if isinstance(value, str) and (fault := fault_of(value)) is not None:
        raise PydanticCustomError("text", fault)
    return value


def _trim(value: object, info: ValidationInfo) -> object:
    checked = _check(value)
    if not isinstance(checked, str) or info.context == UNTRIMMED:
        return checked
    return checked.strip(WHITESPACE)


def _not_blank(text: str) -> str:
    """Refuse a text of white space that trimming leaves (a "next line" character, say)."""
    if not text.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return text


def _empty_if_none(value: object) -> object:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_check)]
"""Text as it is."""

Trimmed = Annotated[str, BeforeValidator(_trim)]
"""Text without the white space around it; length limits count what is left."""

NotBlank = Annotated[Trimmed, Field(min_length=1), AfterValidator(_not_blank)]
"""Trimmed text that is not empty."""

EmptyIfNone = Annotated[str, BeforeValidator(_empty_if_none)]
"""Text of a response: empty where the database has NULL."""
