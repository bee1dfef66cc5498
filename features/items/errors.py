"""Errors of items, each with its permanent code."""

from collections.abc import Sequence

from core.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed


class ItemNotFound(NotFound):
    code = "items.not_found"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} not found")


class ItemChanged(PreconditionFailed):
    """The item is not in the state that its writer has seen."""

    code = "items.changed"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} was changed meanwhile: read it again")


class ItemExists(Conflict):
    """An item with this id exists already, also for an import that may not touch stored items."""

    code = "items.exists"

    def __init__(self, item_ids: Sequence[str]) -> None:
        super().__init__(f"Item with id {', '.join(item_ids)} already exists")


class InvalidLegacyItem(Invalid):
    """The record of the old service cannot become an item; `details` names the faults."""

    code = "items.invalid_legacy_record"

    def __init__(self, details: Sequence[FieldError]) -> None:
        super().__init__(
            f"{details[0].field}: {details[0].message}" if details else "not an item", details=details
        )
