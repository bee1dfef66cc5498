"""Routes of ideas: the board, and an idea's own page."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from features.console.router import systems
from features.console.router.history import history
from features.console.router.pages import router
from features.console.router.visit import Visit, Visited
from features.console.schemas import Fault
from features.console.service.records import IDEA, UPLOADS

COLUMN: Final = 50
STATUSES: Final = next(field.values for field in IDEA.fields if field.name == "status")
FILTERS: Final = ("search", "system_id", "priority", "category")


@router.get("/ideas")
async def board(visit: Visited) -> Response:
    """The board; with `column` more cards of that column. The latest changed are the first."""
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in FILTERS}
    if len(wanted["search"].strip()) < 2:
        wanted["search"] = ""
    if given.get("column") in STATUSES:
        column = await _column(visit, given["column"], wanted, given.get("cursor", ""))
        template = "parts/idea_cards.html" if visit.by_script else "ideas.html"
        return visit.page(template, column=column, columns=[column], wanted=wanted, systems=[])
    columns, choices = await asyncio.gather(
        asyncio.gather(*(_column(visit, status, wanted) for status in STATUSES)),
        systems.choices(visit, wanted["system_id"]),
    )
    template = "parts/board.html" if visit.by_script else "ideas.html"
    return visit.page(template, columns=columns, wanted=wanted, systems=choices)


@router.get("/ideas/{idea_id}")
async def show_idea(visit: Visited, idea_id: str) -> Response:
    return await one_page(visit, idea_id)


async def one_page(
    visit: Visit, idea_id: str, *, form: Mapping[str, str] | None = None, fault: Fault | None = None
) -> Response:
    idea = IDEA.row(await visit.api.get(IDEA.place(idea_id)))
    files, entries, choices, info = await asyncio.gather(
        visit.api.get("/api/v1/files", idea_id=idea_id, limit=100),
        history(visit, IDEA, idea_id),
        systems.choices(visit, idea.get("systemId")),
        visit.api.get(UPLOADS),
    )
    texts = {**IDEA.shown(idea), **(form or {})}
    return visit.page(
        "idea.html",
        200 if fault is None else fault.status,
        record=IDEA,
        row=idea,
        texts=texts,
        fault=fault,
        files=files.rows,
        systems=choices,
        info=info.data,
        **entries,
    )


async def _column(visit: Visit, status: str, wanted: Mapping[str, str], cursor: str = "") -> dict[str, Any]:
    answer = await visit.api.get(
        IDEA.api, status=status, limit=COLUMN, order_by="updated_at", cursor=cursor, **wanted
    )
    return {
        "status": status,
        "ideas": answer.rows,
        "total": answer.data.get("total"),
        "more": answer.data.get("nextCursor"),
    }
