"""The conditions of a typed call as SQL, for a statement that adds what Prisma cannot say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.database.json import Arguments

_SIGNS: Final = {"equals": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def condition(where: Mapping[str, Any], arguments: Arguments) -> str:
    """Of a typed `where` that holds columns, each with a value or with comparisons of it, and AND and OR of
    such. Raises KeyError for another comparison.
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
                f"{name} {_SIGNS[sign]} {_argument(bound, arguments)}" for sign, bound in comparisons.items()
            ]
    return " AND ".join(found) or "true"


def _argument(value: object, arguments: Arguments) -> str:
    if isinstance(value, datetime):
        return f"{arguments.add(value.isoformat())}::timestamptz"
    return arguments.add(value)
