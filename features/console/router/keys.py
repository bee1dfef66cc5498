"""Routes of API keys."""

import re
from datetime import timedelta
from secrets import token_hex
from typing import Final

from starlette.responses import Response

from core.http.request.fields import now, to_iso
from features.console.errors import FormExpired, Refused, Repeated
from features.console.router.messages import ROOT, text
from features.console.router.pages import router
from features.console.router.visit import Visit, Visited
from features.console.schemas import Fault
from features.console.service.api_client import place

PREFIX: Final = f"{ROOT}/keys"
API: Final = "/api/v1/keys"
PAGE: Final = 100
_DAYS: Final = re.compile("[1-9][0-9]{0,4}")


@router.get("/keys")
async def keys(visit: Visited) -> Response:
    return await _page(visit, {})


@router.post("/keys")
async def create_key(visit: Visited) -> Response:
    """The page that answers shows the key; it is kept nowhere, so that it cannot be shown again."""
    try:
        form = await visit.form()
    except FormExpired as expired:
        fault = Fault(expired.status, text("kept", "expired"))
        return await _page(visit, dict(expired.fields), fault=fault)
    values = {"name": form.get("name", ""), "scope": form.get("scope", "read")}
    if days := form.get("days", "").strip():
        if not _DAYS.fullmatch(days):
            wrong = {"field": "days", "message": text("keys", "wrong_days")}
            return await _page(visit, form, fault=Fault(400, text("keys", "not_made"), [wrong]))
        values["expires_at"] = to_iso(now() + timedelta(days=int(days)))
    try:
        made = await visit.api.send("POST", API, values, once=form.get("once"))
    except Repeated:
        return visit.go(PREFIX, text("keys", "made_before"), "bad")
    except Refused as refused:
        return await _page(visit, form, fault=refused.fault)
    return await _page(visit, {}, made=made.data["data"])


@router.post("/keys/{key_id}/revoke")
async def revoke_key(visit: Visited, key_id: str) -> Response:
    await visit.form()
    await visit.api.send("DELETE", place(API, key_id))
    return visit.go(PREFIX, text("keys", "revoked"))


async def _page(
    visit: Visit, form: dict[str, str], *, made: object = None, fault: Fault | None = None
) -> Response:
    wanted = {"cursor": visit.request.query_params.get("cursor", "")}
    keys, more = [], None
    if visit.settings.auth == "keys":
        listed = await visit.api.get(API, limit=PAGE, **wanted)
        keys, more = listed.rows, listed.data.get("nextCursor")
    return visit.page(
        "keys.html",
        200 if fault is None else fault.status,
        keys=keys,
        more=more,
        wanted=wanted,
        made=made,
        fault=fault,
        form=form,
        once=token_hex(16),
        moment=to_iso(now()),
        own=visit.session.key.split("_")[1] if visit.session else "",
    )
