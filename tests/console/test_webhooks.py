"""Webhooks over HTTP: their secret is shown once, what was delivered is told, and sent again."""

from html import unescape
from typing import TYPE_CHECKING

from features.console.service.records import WEBHOOK
from tests.console.forms import form_of
from tests.console.people import signed_in
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

ITEM = {"title": "Dark mode", "description": "At night", "category": "dashboard", "priority": "low"}
ADDRESS = "http://127.0.0.1:1/hook?a=<b>"


async def make(client: "httpx.AsyncClient") -> tuple[str, str]:
    """Page of a new webhook, and its secret."""
    fields = form_of((await client.get("/console/webhooks")).text, "/console/webhooks")[1]
    made = await client.post("/console/webhooks", data={**fields, "url": ADDRESS, "entity": "item"})
    assert made.status_code == 200, made.text
    secret = made.text.split('id="once-shown">')[1].split("<")[0]
    row = (await client.get(WEBHOOK.api)).json()["data"][0]
    return WEBHOOK.page(row["id"]), secret


async def test_a_webhook_shows_its_secret_once_and_its_deliveries(client: "httpx.AsyncClient") -> None:
    assert "No webhook yet." in (await client.get("/console/webhooks")).text
    page, secret = await make(client)
    assert secret.startswith("whsec_")
    for path in (page, "/console/webhooks"):
        assert secret not in (await client.get(path)).text
        assert ADDRESS in unescape((await client.get(path)).text)
    assert "Nothing to deliver yet." in (await client.get(page)).text
    await client.post("/api/items", json=ITEM)

    async def told() -> bool:
        return "item.created" in (await client.get(page)).text

    await wait_for(told, 20, message="the delivery is not listed")
    again, fields = form_of((await client.get(page)).text, f"{page}/deliveries/")
    assert (await client.post(again, data=fields)).headers["location"] == page
    rotated = await client.post(f"{page}/rotate")
    assert secret not in rotated.text
    assert "whsec_" in rotated.text


async def test_a_webhook_is_turned_off_and_deleted(client: "httpx.AsyncClient") -> None:
    page, _ = await make(client)
    place, fields = form_of((await client.get(page)).text, "/console/save/webhook")
    assert (await client.post(place, data={**fields, "active": "false"})).status_code == 303
    row = (await client.get(WEBHOOK.api)).json()["data"][0]
    assert (row["active"], row["entity"], row["url"]) == (False, "item", ADDRESS)
    place, fields = form_of((await client.get(page)).text, "/console/delete/webhook")
    assert (await client.post(place, data={**fields, "ask": ""})).headers["location"] == "/console/webhooks"
    assert (await client.get(WEBHOOK.api)).json()["data"] == []


async def test_a_webhook_that_fails_says_so_since_when_and_what_is_next(
    client: "httpx.AsyncClient", connection: "Connection"
) -> None:
    page, _ = await make(client)
    assert ">On<" in (await client.get("/console/webhooks")).text
    await client.post("/api/items", json=ITEM)

    async def failing() -> bool:
        return ">Failing<" in (await client.get("/console/webhooks")).text

    await wait_for(failing, 20, message="the failure is not told")
    for path in ("/console/webhooks", page):
        shown = (await client.get(path)).text
        for told in ("Since <time", "Cannot be reached", "Waiting: 1", "tried again <time"):
            assert told in shown, (path, told)
        assert ">On<" not in shown
    await connection.execute(
        "UPDATE webhook_deliveries SET state = 'dead', next_attempt_at = NULL, ended_at = now()"
    )
    assert "Given up: 1" in (await client.get("/console/webhooks")).text
    shown = (await client.get(page, params={"state": "waiting"})).text
    assert "No delivery is in this state." in shown
    assert "item.created" not in shown
    assert "item.created" in (await client.get(page, params={"state": "dead"})).text
    place, fields = form_of(shown, f"{page}/redeliver-dead")
    assert (await client.post(place, data=fields)).headers["location"] == page
    shown = (await client.get(page)).text
    assert "Sent again: 1" in shown
    assert "Given up: 1" not in shown


async def test_the_kinds_of_row_that_changes_are_of_are_offered_each_once(
    client: "httpx.AsyncClient",
) -> None:
    for page in ("/console/webhooks", "/console/activity"):
        shown = (await client.get(page)).text
        for word in ("item", "system", "idea", "file", "webhook", "key", "import", "audit"):
            assert shown.count(f'<option value="{word}"') == 1, (page, word)


async def test_a_fault_stands_beside_its_field_and_only_administrators_see_webhooks(
    running_app: "RunningApp", client: "httpx.AsyncClient", db: "Database"
) -> None:
    fields = form_of((await client.get("/console/webhooks")).text, "/console/webhooks")[1]
    refused = await client.post("/console/webhooks", data={**fields, "url": "ftp://a.example"})
    assert refused.status_code == 400
    assert 'id="fault-url"' in refused.text
    async with running_app(auth="keys") as other:
        await signed_in(other, db, "write")
        assert "/console/webhooks" not in (await other.get("/console")).text
        assert (await other.get("/console/webhooks")).status_code == 403
