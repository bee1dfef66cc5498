"""Routes of the activity: who changed what, each field before and after, as it happens."""

from typing import Final

from starlette.responses import Response

from features.console.router.history import entries_of
from features.console.router.pages import router
from features.console.router.visit import Visited

FILTERS: Final = ("entity", "entity_id", "action", "actor", "since", "until")


@router.get("/activity")
async def activity(visit: Visited) -> Response:
    """With the right to read the audit trail its entries, else the summary that everybody may read."""
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in (*FILTERS, "cursor")}
    template = "parts/entries.html" if visit.by_script else "activity.html"
    if visit.may("admin"):
        found = await entries_of(visit, wanted)
    else:
        answer = await visit.api.get("/api/v1/stats/activity", days=30, limit=100)
        told = answer.data["activities"]
        found = {"entries": [], "titles": {}, "told": told, "more": None, "wanted": wanted}
    return visit.page(template, of_row=given.get("history") == "yes", **found)
