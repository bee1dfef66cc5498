"""Routes of systems: the list with their health, and a system's own page."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from features.console.router.history import history
from features.console.router.messages import Tone, text, toast
from features.console.router.pages import router
from features.console.router.visit import RowId, Visit, Visited
from features.console.schemas import Fault
from features.console.service.records import SYSTEM, UPLOADS

PAGE: Final = 50
SHOWN: Final = 10
"""Ideas of a system on its page."""
FILTERS: Final = ("search", "status", "type", "tag")


@router.get("/systems")
async def list_systems(visit: Visited) -> Response:
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in (*FILTERS, "cursor")}
    if len(wanted["search"].strip()) < 2:
        wanted["search"] = ""
    listed, counts = await asyncio.gather(
        visit.api.get(SYSTEM.api, limit=PAGE, order_by="name", **wanted),
        visit.api.get("/api/v1/stats/systems"),
    )
    template = "parts/system_rows.html" if visit.by_script else "systems.html"
    return visit.page(
        template,
        systems=listed.rows,
        total=listed.data.get("total"),
        more=listed.data.get("nextCursor"),
        counts=counts.data,
        wanted=wanted,
        record=SYSTEM,
    )


@router.post("/systems/check")
async def check(visit: Visited, row_id: RowId) -> Response:
    await visit.form()
    result = (await visit.api.send("POST", f"{SYSTEM.place(row_id)}/health")).data
    message = text("systems", "found", result["status"])
    if error := result.get("error"):
        message = f"{message}: {error}"
    tone: Tone = "good" if result["status"] == "online" else "bad"
    if not visit.by_script:
        return visit.go(SYSTEM.page(row_id), message, tone)
    row = SYSTEM.row(await visit.api.get(SYSTEM.place(row_id)))
    response = visit.page(SYSTEM.part, row=row)
    response.headers.update(toast(message, tone))
    return response


@router.post("/systems/check-all")
async def check_all(visit: Visited) -> Response:
    await visit.form()
    answer = await visit.api.send("POST", f"{SYSTEM.api}/health-check-all")
    if answer.status == 202:
        return visit.go(SYSTEM.pages, text("systems", "checking"))
    wrong = sum(each["status"] in ("offline", "error") for each in answer.rows)
    told = text("systems", "all_checked").format(len(answer.rows), wrong)
    return visit.go(SYSTEM.pages, told, "bad" if wrong else "good")


@router.get("/systems/{system_id}")
async def show_system(visit: Visited, system_id: str) -> Response:
    return await one_page(visit, system_id)


async def one_page(
    visit: Visit, system_id: str, *, form: Mapping[str, str] | None = None, fault: Fault | None = None
) -> Response:
    system = SYSTEM.row(await visit.api.get(SYSTEM.place(system_id)))
    ideas, files, entries, info = await asyncio.gather(
        visit.api.get("/api/v1/ideas", system_id=system_id, limit=SHOWN, order_by="updated_at"),
        visit.api.get("/api/v1/files", system_id=system_id, limit=100),
        history(visit, SYSTEM, system_id),
        visit.api.get(UPLOADS),
    )
    return visit.page(
        "system.html",
        200 if fault is None else fault.status,
        record=SYSTEM,
        row=system,
        texts={**SYSTEM.shown(system), **(form or {})},
        fault=fault,
        systems=[],
        ideas=ideas.rows,
        ideas_total=ideas.data.get("total"),
        files=files.rows,
        info=info.data,
        **entries,
    )


async def choices(visit: Visit, chosen: str | None) -> list[dict[str, Any]]:
    """Systems to choose from: the first by name, and the chosen one in any case."""
    listed = (await visit.api.get(SYSTEM.api, limit=100, order_by="name")).rows
    if not chosen or any(system["id"] == chosen for system in listed):
        return listed
    answer = await visit.api.call("GET", SYSTEM.place(chosen))
    return [answer.data["data"] if answer.status == 200 else {"id": chosen, "name": chosen}, *listed]
