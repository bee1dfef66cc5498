"""Routes of the idea bank's items."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from features.console.router.history import history
from features.console.router.pages import router
from features.console.router.visit import RowId, Visit, Visited
from features.console.schemas import Fault
from features.console.service.records import ITEM

PAGE: Final = 50
FILTERS: Final = ("q", "status", "category", "priority", "tag")


@router.get("/items")
async def items(visit: Visited) -> Response:
    """A page of the list; a script that follows the filters gets the table alone."""
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in (*FILTERS, "cursor")}
    answer = await visit.api.get(ITEM.api, limit=PAGE, **wanted)
    template = "parts/item_rows.html" if visit.by_script else "items.html"
    more = answer.data.get("nextCursor")
    return visit.page(
        template, items=answer.rows, total=answer.data["total"], more=more, wanted=wanted, record=ITEM
    )


@router.get("/items/item")
async def show_item(visit: Visited, item_id: RowId) -> Response:
    """Ids of items can be any text, so they stand in the query."""
    return await one_page(visit, item_id)


async def one_page(
    visit: Visit, item_id: str, *, form: Mapping[str, str] | None = None, fault: Fault | None = None
) -> Response:
    item = ITEM.row(await visit.api.get(ITEM.place(item_id)))
    return visit.page(
        "item.html",
        200 if fault is None else fault.status,
        record=ITEM,
        row=item,
        texts={**ITEM.shown(item), **(form or {})},
        fault=fault,
        systems=[],
        **await history(visit, ITEM, item_id),
    )
