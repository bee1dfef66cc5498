"""Errors of items, each with its permanent code."""

from core.errors import NotFound, PreconditionFailed


class ItemNotFound(NotFound, code="items.not_found"):
    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} not found")


class ItemChanged(PreconditionFailed, code="items.changed"):
    """The item is not in the state that its writer has seen."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} was changed meanwhile: read it again")
