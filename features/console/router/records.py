"""Routes that make, change and delete records of every kind."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final

from starlette.responses import Response

from core.errors import NotFound
from core.http.request.body import allow_body
from features.console.errors import Refused
from features.console.router import files, ideas, items, systems, webhooks
from features.console.router.messages import text, toast
from features.console.router.pages import router
from features.console.router.visit import RowId, Visit, Visited, inside
from features.console.schemas import Fault
from features.console.service.editing import Conflict, change, delete
from features.console.service.records import RECORDS, Record

_LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a form here; the API judges each field."""
MADE: Final = ("idea", "item", "system")
"""Kinds that are made by a page of their own."""
_PAGES: Final = {
    "idea": ideas.one_page,
    "item": items.one_page,
    "system": systems.one_page,
    "file": files.one_page,
    "webhook": webhooks.one_page,
}


@router.get("/new/{entity}")
async def new(visit: Visited, entity: str) -> Response:
    record = _made(visit, entity)
    return await _new_page(visit, record, visit.request.query_params)


@router.post("/new/{entity}")
async def create(visit: Visited, entity: str) -> Response:
    record, form = _made(visit, entity), await _form(visit)
    try:
        made = await visit.api.send("POST", record.api, record.given(form), once=form.get("once"))
    except Refused as refused:
        return await _new_page(visit, record, form, refused.fault)
    return visit.go(record.page(made.data["data"]["id"]), text("edit", "made"))


@router.post("/save/{entity}")
async def save(visit: Visited, entity: str, row_id: RowId) -> Response:
    """A script that sends one field of a row in a list gets the row; `next` is where others go on."""
    record, form = _record(entity), await _form(visit)
    place = inside(form.get("next"), record.page(row_id))
    try:
        row = await change(visit.api, record, row_id, form)
    except Conflict as conflict:
        template = "parts/conflict.html" if visit.by_script else "conflict.html"
        latest = await _latest(visit, record, row_id)
        return visit.page(
            template, 412, conflict=conflict, record=record, row_id=row_id, latest=latest, place=place
        )
    except Refused as refused:
        if visit.by_script or refused.fault.status != 400:
            raise
        return await _PAGES[entity](visit, row_id, form=form, fault=refused.fault)
    if not visit.by_script:
        return visit.go(place, text("edit", "saved"))
    response = visit.page(record.part, row=row, record=record)
    response.headers.update(toast(text("edit", "saved"), "good"))
    return response


@router.post("/delete/{entity}")
async def remove(visit: Visited, entity: str, row_id: RowId) -> Response:
    record, form = _record(entity), await visit.form()
    await delete(visit.api, record, row_id, form.get("seen", ""))
    return visit.go(inside(form.get("next"), record.pages), text("edit", "deleted"))


def _record(entity: str) -> Record:
    if (record := RECORDS.get(entity)) is None:
        raise NotFound("There is no such page")
    return record


def _made(visit: Visit, entity: str) -> Record:
    """Kind of record that has a form to make one, for who may. Raises Forbidden and NotFound."""
    visit.need("write")
    if entity not in MADE:
        raise NotFound("There is no such page")
    return RECORDS[entity]


async def _form(visit: Visit) -> dict[str, str]:
    allow_body(visit.request, _LARGEST)
    return await visit.form()


async def _new_page(
    visit: Visit, record: Record, texts: Mapping[str, str], fault: Fault | None = None
) -> Response:
    systems_to_choose = await systems.choices(visit, texts.get("systemId"))
    status = 200 if fault is None else fault.status
    return visit.page(
        "new.html",
        status,
        record=record,
        texts=texts,
        fault=fault,
        systems=systems_to_choose,
        once=token_hex(16),
    )


async def _latest(visit: Visit, record: Record, row_id: str) -> dict[str, Any] | None:
    """The last entry of the audit trail about the row, for who may read it."""
    if not visit.may("admin"):
        return None
    found = await visit.api.get("/api/v1/audit", entity=record.entity, entity_id=row_id, limit=1)
    return found.rows[0] if found.rows else None
