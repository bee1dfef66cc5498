"""Conditions of a typed call as SQL, for a statement that adds what Prisma cannot express."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_SIGNS: Final = {"equals": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class Arguments(list[object]):
    """Values of a statement's parameters, gathered while its text is made."""

    def add(self, value: object) -> str:
        """Placeholder of the added value."""
        self.append(value)
        return f"${len(self)}"


def condition(where: Mapping[str, Any], arguments: Arguments) -> str:
    """SQL of a typed `where` that holds columns, each with a value or with comparisons of it, and AND and OR
    of such. Raises KeyError for another comparison.
    """
    found: list[str] = []
    for name, value in where.items():
        if name in ("AND", "OR"):
            found.append(f"({f' {name} '.join(condition(each, arguments) for each in value)})")
        elif value is None:
            found.append(f"{name} IS NULL")
        else:
            comparisons = value if isinstance(value, Mapping) else {"equals": value}
            found += [
                f"{name} {_SIGNS[sign]} {argument(bound, arguments)}" for sign, bound in comparisons.items()
            ]
    return " AND ".join(found) or "true"


def beyond(key: str, direction: str, bound: str, row_id: str, *, ids_turned: bool = False) -> str:
    """Condition for the rows after a row in the order of an expression. Ties go by id in the same direction
    or, `ids_turned`, in the other one. `bound` and `row_id` are the row's, as SQL.
    """
    past, further = "<>" if direction == "desc" else "><"
    if not ids_turned:
        return f"({key}, id) {past} ({bound}, {row_id})"
    # The first condition repeats part of the second: it is the one that an index can jump to.
    return f"{key} {past}= {bound} AND ({key} {past} {bound} OR id {further} {row_id})"


def argument(value: object, arguments: Arguments) -> str:
    """Placeholder of the value, with its type where PostgreSQL would take it for a text."""
    if isinstance(value, datetime):
        return f"{arguments.add(value.isoformat())}::timestamptz"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{arguments.add(value)}::int"
    return arguments.add(value)
