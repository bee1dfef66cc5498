"""Bodies of partial updates: the rules for new values do not hold for values that stay.

Rows of an old service may have values that nobody could write today: a longer title, no description. Clients
that send a whole row back with one field changed must be able to change it.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import (
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from core.errors import Invalid
from core.http.answers.errors import VALIDATION_FAILED
from core.http.request.input import Input
from core.http.request.validation import field_errors

_TOO_LONG: Final = frozenset({"string_too_long", "too_long"})


class Update(Input):
    """Partial update. If values are too long or empty, and nothing else is wrong, they are held back until
    the row is known: `if values.held_back: values.settle(row)`.
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
            raise Invalid(VALIDATION_FAILED, details=field_errors(faults))


def _could_be_stored(fault: Mapping[str, Any]) -> bool:
    empty = len(fault["loc"]) == 1 and fault["input"] in ("", None)
    return empty or (bool(fault["loc"]) and fault["type"] in _TOO_LONG)
