"""Routes of API keys."""

from datetime import timedelta
from typing import Final

from starlette.responses import Response

from core.http.request.timestamps import now, to_iso
from features.console.errors import Refused
from features.console.router.messages import text
from features.console.router.visit import ROOT, Visit, Visited, router
from features.console.schemas import Fault

PREFIX: Final = f"{ROOT}/keys"


@router.get("/keys")
async def keys(visit: Visited) -> Response:
    return await _page(visit, {})


@router.post("/keys")
async def create_key(visit: Visited) -> Response:
    """The page that answers shows the key; it is kept nowhere, so that it cannot be shown again."""
    form = await visit.form()
    values = {"name": form.get("name", ""), "scope": form.get("scope", "read")}
    if form.get("days", "").isdecimal():
        values["expires_at"] = to_iso(now() + timedelta(days=min(int(form["days"]), 36_500)))
    try:
        made = await visit.api.send("POST", "/api/v1/keys", values)
    except Refused as refused:
        return await _page(visit, form, fault=refused.fault)
    return await _page(visit, {}, made=made.data["data"])


@router.post("/keys/{key_id}/revoke")
async def revoke_key(visit: Visited, key_id: str) -> Response:
    await visit.form()
    await visit.api.send("DELETE", f"/api/v1/keys/{key_id}")
    return visit.go(PREFIX, text("keys", "revoked"))


async def _page(
    visit: Visit, form: dict[str, str], *, made: object = None, fault: Fault | None = None
) -> Response:
    found = [] if visit.settings.auth == "off" else (await visit.api.get("/api/v1/keys", limit=100)).rows
    status = 200 if fault is None else fault.status
    return visit.page(
        "keys.html", status, keys=found, made=made, fault=fault, form=form, moment=to_iso(now())
    )
