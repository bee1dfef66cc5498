"""History of rows: the entries of the audit trail, for who may read them, and what their rows are called."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from features.console.router.visit import Visit
from features.console.service.records import RECORDS, Record

_FOUND: Final = 200


async def history(visit: Visit, record: Record, row_id: str) -> dict[str, Any]:
    """What the template of the entries needs."""
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
    """What the rows of entries are called now, by kind and id; nothing of rows that are gone."""
    named = {(each["entity"], each["entityId"]) for each in entries if each["entity"] in RECORDS}
    answers = await asyncio.gather(
        *(visit.api.call("GET", RECORDS[entity].place(row_id)) for entity, row_id in named)
    )
    return {
        f"{entity} {row_id}": str(answer.data["data"][RECORDS[entity].label])
        for (entity, row_id), answer in zip(named, answers, strict=True)
        if answer.status == _FOUND
    }
