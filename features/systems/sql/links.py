"""The system of another slice's row, in the statements of that slice. The arguments are SQL."""

from typing import Final

from core.database.json import Field, json_object, text

_LINK: Final = json_object(Field("id", text("systems.id")), Field("name", text("systems.name")))


def link_of(system_id: str) -> str:
    """A query for `{"id":...,"name":...}`; without a row when there is no such system."""
    return f"SELECT {_LINK} FROM systems WHERE systems.id = {system_id}"


def held(system_id: str) -> str:
    """A query that keeps the system from being deleted until the transaction ends; it gives the id."""
    return f"SELECT id FROM systems WHERE id = {system_id} FOR KEY SHARE"
