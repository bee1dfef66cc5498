"""What can go wrong with ideas, each with its permanent code."""

from core.errors import FieldError, Invalid, NotFound, PreconditionFailed


class IdeaNotFound(NotFound):
    code = "ideas.not_found"

    def __init__(self, idea_id: str) -> None:
        super().__init__(f"Idea with id {idea_id} not found")


class IdeaChanged(PreconditionFailed):
    """Its writer has seen another state of it."""

    code = "ideas.changed"

    def __init__(self, idea_id: str) -> None:
        super().__init__(f"Idea with id {idea_id} was changed meanwhile: read it again")


class ReferencedSystemNotFound(Invalid):
    """An idea was to belong to a system that does not exist."""

    code = "ideas.system_not_found"

    def __init__(self, system_id: str) -> None:
        message = "Referenced system not found"
        super().__init__(message, details=[FieldError("systemId", "does not name a system", system_id)])
