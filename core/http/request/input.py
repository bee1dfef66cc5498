"""Models of request input: bodies, queries, forms and partial updates."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from core.errors import InvalidFields
from core.http.request.validation import field_errors

WHOLE_NUMBER: Final = re.compile(r"-?[0-9]+")

_TOO_LONG: Final = frozenset({"string_too_long", "too_long"})


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


class Update(Input):
    """Partial update: the rules for new values do not hold for values that stay. Rows of an old service may
    have some that nobody could write today (a longer title, no description), and clients that send a whole
    row back with one field changed must be able to change it.

    If values are too long or empty, and nothing else is wrong, they are held back until the row is known:
    `if values.held_back: values.settle(row)`.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A default stands for a field that was not sent: there is none to publish."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for field in schema["properties"].values():
            field.pop("default", None)
        return schema

    _sent: dict[str, Any] = PrivateAttr(default_factory=dict)
    _faults: list[Any] = PrivateAttr(default_factory=list)

    @model_validator(mode="wrap")
    @classmethod
    def _hold_back(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            if not isinstance(data, dict) or not all(map(_could_be_stored, faults)):
                raise
        names = {fault["loc"][0] for fault in faults}
        values = handler({name: value for name, value in data.items() if name not in names})
        values._sent = {name: value for name, value in data.items() if name in names}
        values._faults = faults
        return values

    @property
    def held_back(self) -> bool:
        return bool(self._sent)

    def settle(self, row: Mapping[str, Any] | None) -> None:
        """Raises Invalid if a held back value is not that of the row, as the API shows it."""
        wrong = {name for name, value in self._sent.items() if row is None or (value or "") != row.get(name)}
        if wrong:
            faults = [fault for fault in self._faults if fault["loc"][0] in wrong]
            raise InvalidFields(field_errors(faults))


def _could_be_stored(fault: Mapping[str, Any]) -> bool:
    empty = len(fault["loc"]) == 1 and fault["input"] in ("", None)
    return empty or (bool(fault["loc"]) and fault["type"] in _TOO_LONG)
