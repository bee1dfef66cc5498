"""Errors of systems, each with its permanent code."""

from core.errors import Conflict, FieldError, NotFound, PreconditionFailed, Unavailable


class SystemNotFound(NotFound, code="systems.not_found"):
    def __init__(self, system_id: str) -> None:
        super().__init__(f"System with id {system_id} not found")


class SystemChanged(PreconditionFailed, code="systems.changed"):
    """The system is not in the state that its writer has seen."""

    def __init__(self, system_id: str) -> None:
        super().__init__(f"System with id {system_id} was changed meanwhile: read it again")


class SystemNameTaken(Conflict, code="systems.name_taken"):
    """Another system has this name: names are unique, to the character."""

    def __init__(self, name: str) -> None:
        message = "is the name of another system"
        super().__init__(
            f"System with name {name} already exists", details=[FieldError("name", message, name)]
        )


class CheckAllStopped(Conflict, code="systems.check_all_stopped"):
    """The job that checks the systems was cancelled."""


class CheckAllFailed(Unavailable, code="systems.check_all_failed"):
    """The job that checks the systems ended without having checked them all."""
