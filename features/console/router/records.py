"""Routes that make, change and delete records of every kind."""

from collections.abc import Mapping
from hashlib import sha256
from secrets import token_hex
from typing import Any, Final

import orjson
from starlette.responses import Response

from core.errors import Invalid, NotFound
from core.http.request.body import allow_body
from features.console.errors import FormExpired, Refused
from features.console.router import files, ideas, items, systems, webhooks
from features.console.router.messages import ROOT, text, toast
from features.console.router.pages import router
from features.console.router.visit import LARGEST_FORM, RowId, Visit, Visited, inside
from features.console.schemas import Fault
from features.console.service.editing import Conflict, change, delete
from features.console.service.records import RECORDS, WEBHOOK, Record

MADE: Final = ("idea", "item", "system")
"""Kinds that are made by a page of their own."""
_MAKERS: Final = {entity: f"{ROOT}/new/{entity}" for entity in MADE} | {"webhook": WEBHOOK.pages}
"""Where the forms of new records go."""
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
    record = _made(visit, entity)
    try:
        form = await _form(visit)
        values = record.given(form)
        made = await visit.api.send("POST", record.api, values, once=_once(form, values))
    except FormExpired as expired:
        return await _kept_page(visit, record, expired.fields, Fault(expired.status, text("kept", "expired")))
    except Refused as refused:
        if refused.fault.status != Invalid.status:
            return await _kept_page(visit, record, form, refused.fault)
        return await _new_page(visit, record, form, refused.fault)
    return visit.go(record.page(made.data["data"]["id"]), text("edit", "made"))


@router.post("/save/{entity}")
async def save(visit: Visited, entity: str, row_id: RowId) -> Response:
    """A script that sends one field of a row in a list gets the row; `next` is where others go on."""
    record = _record(entity)
    try:
        form = await _form(visit)
        place = inside(form.get("next"), record.page(row_id))
        row = await change(visit.api, record, row_id, form)
    except Conflict as conflict:
        template = "parts/conflict.html" if visit.by_script else "conflict.html"
        latest = await _latest(visit, record, row_id)
        return visit.page(
            template, 412, conflict=conflict, record=record, row_id=row_id, latest=latest, place=place
        )
    except FormExpired as expired:
        fault = Fault(expired.status, text("kept", "expired"))
        return await _kept_page(visit, record, expired.fields, fault, row_id)
    except Refused as refused:
        if visit.by_script:
            raise
        if refused.fault.status != Invalid.status:
            return await _kept_page(visit, record, form, refused.fault, row_id)
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


def _once(form: Mapping[str, str], values: Mapping[str, object]) -> str | None:
    """Idempotency key of a form: whoever goes back and sends the same again makes no twin, and something else
    is made.
    """
    once = form.get("once")
    return f"{once}-{sha256(orjson.dumps(values)).hexdigest()[:16]}" if once else None


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
    allow_body(visit.request, LARGEST_FORM)
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
        once=texts.get("once") or token_hex(16),
    )


async def _kept_page(
    visit: Visit, record: Record, form: Mapping[str, str], fault: Fault, row_id: str | None = None
) -> Response:
    """Page with all that was typed into a form that could not be carried out, to be sent again; to make the
    row anew where somebody has deleted it.
    """
    if visit.by_script:
        raise Refused(fault)
    gone, system = row_id is not None and fault.status == NotFound.status, form.get("systemId")
    carried = {name: form[name] for name in ("seen", "was", "next", "once") if name in form}
    place = f"{visit.request.url.path}?{visit.request.url.query}"
    if gone:
        carried, place = {"once": token_hex(16)}, _MAKERS.get(record.entity, "")
    return visit.page(
        "kept.html",
        fault.status,
        record=record,
        texts=form,
        fault=fault,
        gone=gone,
        making=gone or row_id is None,
        carried=carried,
        place=place,
        systems=[{"id": system, "name": system}] if system else [],
    )


async def _latest(visit: Visit, record: Record, row_id: str) -> dict[str, Any] | None:
    """The last entry of the audit trail about the row, for who may read it."""
    if not visit.may("admin"):
        return None
    found = await visit.api.get("/api/v1/audit", entity=record.entity, entity_id=row_id, limit=1)
    return found.rows[0] if found.rows else None
