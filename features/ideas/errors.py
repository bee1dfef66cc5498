"""Errors of ideas, each with its permanent code."""

from core.errors import FieldError, Invalid, NotFound, PreconditionFailed


class IdeaNotFound(NotFound, code="ideas.not_found"):
    def __init__(self, idea_id: str) -> None:
        super().__init__(f"Idea with id {idea_id} not found")


class IdeaChanged(PreconditionFailed, code="ideas.changed"):
    """The idea is not in the state that its writer has seen."""

    def __init__(self, idea_id: str) -> None:
        super().__init__(f"Idea with id {idea_id} was changed meanwhile: read it again")


class ReferencedSystemNotFound(Invalid, code="ideas.system_not_found"):
    """The system that an idea should belong to does not exist."""

    def __init__(self, system_id: str) -> None:
        message = "Referenced system not found"
        super().__init__(message, details=[FieldError("systemId", "does not name a system", system_id)])
