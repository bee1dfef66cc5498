"""History of one row: the entries of the audit trail about it, for who may read them."""

from typing import Any

from features.console.router.visit import Visit
from features.console.service.records import Record


async def history(visit: Visit, record: Record, row_id: str) -> dict[str, Any]:
    """What the template of the entries needs."""
    wanted = {"entity": record.entity, "entity_id": row_id, "cursor": ""}
    if not visit.may("admin"):
        return {"entries": [], "told": [], "more": None, "wanted": wanted}
    answer = await visit.api.get("/api/v1/audit", limit=25, **wanted)
    return {"entries": answer.rows, "told": [], "more": answer.data.get("nextCursor"), "wanted": wanted}
