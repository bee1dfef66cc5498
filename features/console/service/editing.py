"""Changes of records: only onto the state that the person has seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from features.console.errors import Refused
from features.console.schemas import Fault
from features.console.service.api_client import ApiClient
from features.console.service.differences import Piece, marked
from features.console.service.records import Record, state_of

_CHANGED: Final = 412


@dataclass(frozen=True, slots=True)
class Difference:
    """Field of which there are two versions; `mine` is None if only the other side has changed it."""

    name: str
    theirs: list[Piece]
    mine: list[Piece] | None


class Conflict(Exception):
    """Somebody else has changed the row since the person saw it. `row` is as it is now."""

    def __init__(self, row: Mapping[str, Any], mine: Mapping[str, str], found: list[Difference]) -> None:
        super().__init__("The row has changed")
        self.row = row
        self.mine = mine
        self.differences = found


async def change(api: ApiClient, record: Record, row_id: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The row after the changes of a form, whose `seen` is the state that it was about. Raises Conflict."""
    mine = record.mine(form)
    while True:
        found = await api.get(record.place(row_id))
        row = record.row(found)
        shown = record.shown(row)
        wanted = {name: text for name, text in mine.items() if shown[name] != text}
        if not wanted:
            return row
        if state_of(row) != form.get("seen"):
            names = (wanted.keys() | record.theirs(form, row)) if form.get("was") else wanted.keys()
            found_names = [field.name for field in record.fields if field.name in names]
            raise Conflict(row, wanted, [_difference(name, shown[name], wanted) for name in found_names])
        try:
            values = record.given(wanted)
            return record.row(await api.send("PUT", record.place(row_id), values, etag=found.headers["etag"]))
        except Refused as refused:
            if refused.fault.status == _CHANGED:
                continue
            raise


def _difference(name: str, theirs: str, mine: Mapping[str, str]) -> Difference:
    return (
        Difference(name, *marked(theirs, mine[name]))
        if name in mine
        else Difference(name, [Piece(theirs, differs=True)], None)
    )


async def delete(api: ApiClient, record: Record, row_id: str, seen: str) -> None:
    """Raises Refused if the row is not as it was seen."""
    found = await api.get(record.place(row_id))
    if state_of(found.data["data"]) != seen:
        raise Refused(Fault(_CHANGED, "Somebody has changed it since: look at it again before it goes"))
    await api.send("DELETE", record.place(row_id), etag=found.headers["etag"])
