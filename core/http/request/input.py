"""Models of request input: bodies, queries and forms."""

import re
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, BeforeValidator, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

WHOLE_NUMBER: Final = re.compile(r"-?[0-9]+")


def _digits(value: object) -> object:
    if isinstance(value, str) and not WHOLE_NUMBER.fullmatch(value):
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return value


DIGITS_ALONE: Final = BeforeValidator(_digits)
"""Validator after the bounds of an integer that may come as text: Python would also read `1_000`, ` 1 ` and
`+1`. Routes apply it to their query parameters.
"""


class Input(BaseModel):
    """Body, query or form whose fields are taken in snake_case and in camelCase. The OpenAPI document shows
    the spelling of the contract; both at once with different values are an error of that field.
    """

    @model_validator(mode="before")
    @classmethod
    def _in_documented_spelling(cls, data: Any) -> Any:
        others = _other_spellings(cls)
        if not others or not isinstance(data, dict) or others.keys().isdisjoint(data):
            return data
        taken = {key: value for key, value in data.items() if key not in others}
        for other, documented in others.items():
            if other in data and taken.setdefault(documented, data[other]) != data[other]:
                message = f"is also given as {other}, with another value; give one of both"
                fault = PydanticCustomError("two_spellings", "{message}", {"message": message})
                where = InitErrorDetails(type=fault, loc=(documented,), input=taken[documented])
                raise ValidationError.from_exception_data(cls.__name__, [where])
        return taken


@cache
def _other_spellings(model: type[BaseModel]) -> dict[str, str]:
    """Documented spelling of each field that has another one, by the other one."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        documented = field.alias or name
        found |= {other: documented for other in (name, to_camel(name)) if other != documented}
    return found
