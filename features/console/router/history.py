"""History of rows: the entries of the audit trail, for who may read them, and what their rows are called."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.deps import platform_of
from core.feature import names_by_entity
from features.console.router.visit import Visit
from features.console.service.records import RECORDS, Record


async def history(visit: Visit, record: Record, row_id: str) -> dict[str, Any]:
    """Values of the template of a row's entries."""
    wanted = {"entity": record.entity, "entity_id": row_id, "cursor": ""}
    if not visit.may("admin"):
        return {"entries": [], "titles": {}, "told": [], "more": None, "wanted": wanted, "of_row": True}
    return await entries_of(visit, wanted) | {"of_row": True}


async def entries_of(visit: Visit, wanted: Mapping[str, str]) -> dict[str, Any]:
    answer = await visit.api.get("/api/v1/audit", limit=25, **wanted)
    titles = {} if wanted["entity_id"] else await _titles(visit, answer.rows)
    more = answer.data.get("nextCursor")
    return {"entries": answer.rows, "titles": titles, "told": [], "more": more, "wanted": wanted}


async def _titles(visit: Visit, entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Present names of the rows of entries, by kind and id; nothing of rows that are gone, or that have no
    page. One query a kind: whoever may read the entries may read all rows.
    """
    named = defaultdict(set)
    for each in entries:
        named[each["entity"]].add(each["entityId"])
    names_of = names_by_entity(visit.request.app.state.features)
    db = platform_of(visit.request).db
    return {
        f"{entity} {row_id}": name
        for entity in sorted(named.keys() & RECORDS.keys())
        for row_id, name in (await names_of[entity](db, named[entity])).items()
    }
