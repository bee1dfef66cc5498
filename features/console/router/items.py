"""Routes of the idea bank's items."""

from typing import Final

from starlette.responses import Response

from features.console.router.visit import Visited, router

PAGE: Final = 50
FILTERS: Final = ("q", "status", "category", "priority", "tag")


@router.get("/items")
async def items(visit: Visited) -> Response:
    """A page of the list; a script that follows the filters gets the table alone."""
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in (*FILTERS, "cursor")}
    answer = await visit.api.get("/api/items", limit=PAGE, **wanted)
    template = "parts/item_rows.html" if visit.by_script else "items.html"
    more = answer.data.get("nextCursor")
    return visit.page(template, items=answer.rows, total=answer.data["total"], more=more, wanted=wanted)
