"""What can go wrong with items, each with its permanent code."""

from collections.abc import Sequence

from core.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed


class ItemNotFound(NotFound):
    code = "items.not_found"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} not found")


class ItemChanged(PreconditionFailed):
    """Its writer has seen another state of it."""

    code = "items.changed"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} was changed meanwhile: read it again")


class ItemExists(Conflict):
    """Two writers chose the same id; or an import that may not touch stored items met one."""

    code = "items.exists"

    def __init__(self, item_ids: Sequence[str]) -> None:
        super().__init__(f"Item with id {', '.join(item_ids)} already exists")


class InvalidLegacyItem(Invalid):
    """A record of the old service that cannot become an item; `details` names what is wrong."""

    code = "items.invalid_legacy_record"

    def __init__(self, details: Sequence[FieldError]) -> None:
        super().__init__(
            f"{details[0].field}: {details[0].message}" if details else "not an item", details=details
        )
