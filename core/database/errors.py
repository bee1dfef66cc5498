"""Errors of the database, and which of them have a response of their own.

A user of Prisma's Python client finds the classes of `prisma.errors`. Errors that it has no class for are
named here; where trying again may help, they are also `Unavailable`, so that they reach a caller as 503 with
`Retry-After`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from prisma import errors as prisma_errors
from prisma.engine.utils import ERROR_MAPPING

from core.errors import Conflict, HandoverError, NotFound, Unavailable


class DatabaseProblem(prisma_errors.PrismaError, Unavailable):
    """The query did not run, or it is not known whether it did; the same request may succeed in a moment."""


class EngineUnavailable(DatabaseProblem, code="database.engine_unavailable"):
    """The engine process died or is being started. Calls in flight may or may not have been done."""


class DatabaseUnavailable(DatabaseProblem, code="database.unavailable"):
    """The engine runs, but PostgreSQL cannot be reached."""


class DatabaseReadOnly(DatabaseProblem, code="database.read_only"):
    """PostgreSQL refuses to write: it is a standby, or a read-only primary."""


class DiskFull(DatabaseProblem, code="database.disk_full"):
    """PostgreSQL has no disk space left for the write."""


class PoolExhausted(DatabaseProblem, code="database.pool_exhausted"):
    """No connection became free within the time limit."""


class WriteConflict(DatabaseProblem, code="database.write_conflict"):
    """A deadlock or a serialization failure: PostgreSQL rolled the transaction back for another one."""


class Deadlock(WriteConflict):
    """Two transactions waited for each other; this one was rolled back."""


class SerializationFailure(WriteConflict):
    """Another transaction changed rows that this one had read or was about to change."""


class LockTimeout(DatabaseProblem, code="database.lock_timeout"):
    """Another transaction has held the row for longer than DB_LOCK_TIMEOUT_S; a retry would wait as long."""


class StatementTimeout(DatabaseProblem, code="database.statement_timeout"):
    """The statement ran longer than the limit and was cancelled."""


class TransactionAborted(prisma_errors.TransactionError):
    """A statement of the transaction failed, but the work went on: nothing of it was committed."""


class NotSupported(prisma_errors.PrismaError):
    """A part of the typed client is not supported; the message names what to use instead."""


class ConstraintViolation(prisma_errors.DataError):
    """A CHECK or NOT NULL constraint refused the row."""


PROBLEMS: Final[Mapping[str, tuple[type[DatabaseProblem], str]]] = {
    "P1001": (DatabaseUnavailable, "The database cannot be reached; try again in a moment."),
    "P1017": (DatabaseUnavailable, "The database closed the connection; try again in a moment."),
    "25006": (DatabaseReadOnly, "The database only reads at the moment; try again in a moment."),
    "53100": (DiskFull, "The disk of the database is full; somebody has to free space there."),
    "P2024": (PoolExhausted, "All database connections are busy; try again in a moment."),
    "P2034": (WriteConflict, "Another transaction was in the way; try again."),
    "40P01": (Deadlock, "Another transaction was in the way; try again."),
    "40001": (SerializationFailure, "Another transaction was in the way; try again."),
    "55P03": (LockTimeout, "Somebody else is changing this; try again in a moment."),
    "57014": (StatementTimeout, "The database took too long over this; try again later."),
}
"""Problems by SQLSTATE, or by Prisma's code where PostgreSQL did not answer."""

_UNAVAILABLE: Final = re.compile(r"08(?!P01)...|25P0[34]|28...|3D000|53...|57P0.")
"""SQLSTATEs with which PostgreSQL refuses or ends the session, or lacks what it needs, whatever the
statement. 08P01, a protocol violation, is a fault of ours.
"""

BY_STATE: Final[Mapping[str, type[prisma_errors.DataError]]] = {
    "23502": ConstraintViolation,
    "23514": ConstraintViolation,
    "23505": prisma_errors.UniqueViolationError,
    "23503": prisma_errors.ForeignKeyViolationError,
    "23001": prisma_errors.ForeignKeyViolationError,
}
"""Errors by the SQLSTATEs of constraints, for statements whose errors have no code of Prisma's own."""

ABORTED: Final = "25P02"
TRANSACTION_API: Final = "P2028"
NOT_STARTED: Final = "Unable to start a transaction"


def engine_error(error: Mapping[str, Any]) -> Exception:
    """Exception of an error reply of the engine: {code, state, message, meta, name}."""
    code: str = error.get("code") or ""
    state: str = error.get("state") or ""
    message: str = error["message"]
    problem = PROBLEMS.get(state) or PROBLEMS.get(code)
    if problem is None and _UNAVAILABLE.fullmatch(state):
        problem = PROBLEMS["P1001"]
    if problem is not None:
        return problem[0](problem[1])
    if state == ABORTED:
        return TransactionAborted(
            "An earlier statement of this transaction failed, so all of it was rolled back."
        )
    if code == TRANSACTION_API:
        return _transaction_error(message)
    data = {
        "user_facing_error": {
            "error_code": code or None,
            "message": message,
            "meta": error.get("meta") or {},
        },
        "state": state,
    }
    if state in BY_STATE:
        return BY_STATE[state](data)
    if code in ERROR_MAPPING:
        return ERROR_MAPPING[code](data)
    if error.get("name") == "PrismaClientValidationError":
        return _validation_error(data, message)
    return prisma_errors.DataError(data)


def _transaction_error(message: str) -> Exception:
    if NOT_STARTED in message:
        return PoolExhausted(PROBLEMS["P2024"][1])
    if "Transaction already closed" in message or "expired" in message or "Transaction not found" in message:
        return prisma_errors.TransactionExpiredError(message)
    return prisma_errors.TransactionError(message)


def _validation_error(data: Mapping[str, Any], message: str) -> Exception:
    """Exception of a malformed call, which the JavaScript client refuses before the database, in words."""
    selected = re.search(r"Unknown field `(\w+)` for select statement on model `(\w+)`", message)
    if selected:
        field, model = selected.groups()
        message = f"Field '{field}' not found in enclosing type '{model}'"
    if selected or "Unknown argument" in message:
        return prisma_errors.FieldNotFoundError(data, message=message)
    if re.search(r"Argument `\w+` (is missing|must not be null)", message):
        return prisma_errors.MissingRequiredValueError(data)
    return prisma_errors.InputError(data)


def as_error(error: Exception) -> HandoverError | None:
    """Error with a response for an unhandled error of the client, or None when it is a fault of ours."""
    if isinstance(error, HandoverError):
        return error
    if isinstance(error, prisma_errors.UniqueViolationError):
        return Conflict("This collides with something that is stored already.")
    if isinstance(error, prisma_errors.RecordNotFoundError):
        return NotFound("There is no such record.")
    if isinstance(error, prisma_errors.TransactionExpiredError):
        return Unavailable("The change took too long and was not made; try again in a moment.")
    return None
