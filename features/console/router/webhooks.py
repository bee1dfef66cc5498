"""Routes of webhooks: who is told of changes, what was delivered to them, and delivering it again."""

import asyncio
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final

from starlette.responses import Response

from features.console.errors import FormExpired, Refused, Repeated
from features.console.router.history import history
from features.console.router.messages import text
from features.console.router.pages import router
from features.console.router.visit import Visit, Visited
from features.console.schemas import Fault
from features.console.service.api_client import place
from features.console.service.records import WEBHOOK

PAGE: Final = 50
NOTHING_LEFT: Final = {"waiting": 0, "dead": 0}


@router.get("/webhooks")
async def webhooks(visit: Visited) -> Response:
    return await _list(visit, {})


@router.post("/webhooks")
async def create_webhook(visit: Visited) -> Response:
    """The page that answers shows the secret, this once."""
    try:
        form = await visit.form()
        made = await visit.api.send("POST", WEBHOOK.api, WEBHOOK.given(form), once=form.get("once"))
    except FormExpired as expired:
        fault = Fault(expired.status, text("kept", "expired"))
        return await _list(visit, expired.fields, fault=fault)
    except Repeated:
        return visit.go(WEBHOOK.pages, text("webhooks", "made_before"), "bad")
    except Refused as refused:
        return await _list(visit, form, fault=refused.fault)
    return await one_page(visit, made.data["data"]["id"], secret=made.data["data"]["secret"])


@router.get("/webhooks/{webhook_id}")
async def show_webhook(visit: Visited, webhook_id: str) -> Response:
    return await one_page(visit, webhook_id)


@router.post("/webhooks/{webhook_id}/rotate")
async def rotate_secret(visit: Visited, webhook_id: str) -> Response:
    form = await visit.form()
    try:
        replace = place(WEBHOOK.api, webhook_id, "rotate-secret")
        made = await visit.api.send("POST", replace, once=form.get("once"))
    except Repeated:
        return visit.go(WEBHOOK.page(webhook_id), text("webhooks", "rotated_before"), "bad")
    return await one_page(visit, webhook_id, secret=made.data["data"]["secret"])


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver")
async def redeliver(visit: Visited, webhook_id: str, delivery_id: str) -> Response:
    await visit.form()
    await visit.api.send("POST", place(WEBHOOK.api, webhook_id, "deliveries", delivery_id, "redeliver"))
    return visit.go(WEBHOOK.page(webhook_id), text("webhooks", "sent_again"))


@router.post("/webhooks/{webhook_id}/redeliver-dead")
async def redeliver_dead(visit: Visited, webhook_id: str) -> Response:
    await visit.form()
    sent, more = 0, True
    while more:
        answer = await visit.api.send("POST", place(WEBHOOK.api, webhook_id, "redeliver-dead"))
        sent, more = sent + answer.data["data"]["count"], answer.data["data"]["more"]
    return visit.go(WEBHOOK.page(webhook_id), text("webhooks", "all_sent_again").format(sent))


async def _list(visit: Visit, form: Mapping[str, str], *, fault: Fault | None = None) -> Response:
    cursor = visit.request.query_params.get("cursor", "")
    listed, health = await asyncio.gather(
        visit.api.get(WEBHOOK.api, limit=PAGE, cursor=cursor), _health(visit)
    )
    return visit.page(
        "webhooks.html",
        200 if fault is None else fault.status,
        webhooks=[(row, health.get(row["id"], NOTHING_LEFT)) for row in listed.rows],
        more=listed.data.get("nextCursor"),
        record=WEBHOOK,
        texts={"active": "true", **form},
        once=token_hex(16),
        fault=fault,
        wanted={"cursor": cursor},
    )


async def _health(visit: Visit) -> dict[str, dict[str, Any]]:
    """Health by the id of the webhook; those for which all is delivered have none."""
    told = await visit.api.get(place(WEBHOOK.api, "health"))
    return {each["webhookId"]: each for each in told.rows}


async def one_page(
    visit: Visit,
    webhook_id: str,
    *,
    form: Mapping[str, str] | None = None,
    fault: Fault | None = None,
    secret: str = "",
) -> Response:
    given = visit.request.query_params
    wanted = {"state": given.get("state", ""), "cursor": given.get("cursor", "")}
    found, deliveries, health = await asyncio.gather(
        visit.api.get(WEBHOOK.place(webhook_id)),
        visit.api.get(place(WEBHOOK.api, webhook_id, "deliveries"), limit=PAGE, **wanted),
        _health(visit),
    )
    values = {
        "row": found.data["data"],
        "health": health.get(webhook_id, NOTHING_LEFT),
        "deliveries": deliveries.rows,
        "more": deliveries.data.get("nextCursor"),
        "wanted": wanted,
    }
    if visit.by_script:
        return visit.page("parts/deliveries.html", **values)
    return visit.page(
        "webhook.html",
        200 if fault is None else fault.status,
        record=WEBHOOK,
        texts={**WEBHOOK.shown(values["row"]), **(form or {})},
        fault=fault,
        systems=[],
        secret=secret,
        once=token_hex(16),
        trail=await history(visit, WEBHOOK, webhook_id),
        **values,
    )
