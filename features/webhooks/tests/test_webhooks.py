"""Webhooks over HTTP: made, changed, deleted; secrets, which are shown once."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from features.webhooks.jobs import PRUNE
from features.webhooks.tests.receiver import (
    WEBHOOKS,
    Receiver,
    create_item,
    deliveries,
    running_receiver,
    subscribe,
)
from tests.fixtures.database import Connection
from tests.fixtures.jobs import RunJob
from tests.fixtures.pages import Pages
from tests.fixtures.refusals import assert_refused
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for

URL = "https://board.example/hooks"
SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()


async def test_it_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    body = {"url": f" {URL} ", "entity": "item", "action": "updated", "description": "Board"}
    made = await client.post(WEBHOOKS, json=body, headers={"x-user-id": "ada"})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    shown = made.json()["data"]
    path = made.headers["location"]
    assert path == f"{WEBHOOKS}/{shown['id']}"
    assert len(base64.b64decode(shown.pop("secret").removeprefix("whsec_"))) == 32
    assert shown == {
        "id": shown["id"],
        "url": URL,
        "entity": "item",
        "action": "updated",
        "description": "Board",
        "active": True,
        "createdBy": "ada",
        "createdAt": shown["createdAt"],
    }
    read = await client.get(path)
    assert (read.json()["data"], read.headers["etag"]) == (shown, made.headers["etag"])
    assert (await client.get(path)).headers["x-cache"] == "HIT"
    seen = {"if-match": made.headers["etag"]}
    changed = await client.put(path, json={"action": None, "entity_id": "7", "active": False}, headers=seen)
    assert changed.status_code == 200, changed.text
    found = (await client.get(path)).json()["data"]
    assert "action" not in found
    assert (found["entityId"], found["active"], found["url"]) == ("7", False, URL)
    assert (await client.put(path, json={"active": True}, headers=seen)).status_code == 412
    assert (await client.delete(path, headers=seen)).status_code == 412
    assert (await client.delete(path)).json()["data"] == found
    assert (await client.get(path)).status_code == 404
    assert (await client.put(path, json={})).status_code == 404
    assert (await client.get(f"{path}/deliveries")).status_code == 404
    assert (await client.post(f"{path}/rotate-secret")).status_code == 404


async def test_the_list_has_pages(client: httpx.AsyncClient) -> None:
    made = [(await subscribe(client, f"{URL}/{number}"))["id"] for number in range(5)]
    pages = Pages(WEBHOOKS)
    assert [each["id"] for each in (await pages.page(client))["data"]] == made[::-1]
    assert await pages.walk(client, limit=2) == made[::-1]
    assert (await pages.page(client, limit=2, offset=1))["total"] == 5


async def test_what_is_refused(client: httpx.AsyncClient) -> None:
    for body, field, message in (
        ({}, "url", "required"),
        ({"url": "ftp://a.example"}, "url", "http:// or https://"),
        ({"url": "https://a:b@c.example"}, "url", "user name or password"),
        ({"url": URL, "action": "moved"}, "action", "must be one of"),
        ({"url": URL, "entity": "itmes"}, "entity", "must be one of 'item', "),
        ({"url": URL, "entity": ""}, "entity", "must be one of"),
        ({"url": URL, "entity": "item", "action": ""}, "action", "must be one of"),
        ({"url": URL, "secret": "sesame"}, "secret", "whsec_"),
        ({"url": URL, "secret": SECRET[:-4]}, "secret", "24 to 64"),
        ({"url": URL, "secret": SECRET.removeprefix("whsec_")}, "secret", "whsec_"),
        ({"url": URL, "secret": "whsec_" + "A" * 120}, "secret", "24 to 64"),
    ):
        refused = await client.post(WEBHOOKS, json=body)
        assert_refused(refused, field, message)
        assert "sesame" not in refused.text
        assert SECRET[6:20] not in refused.text
    path = f"{WEBHOOKS}/{(await subscribe(client, URL))['id']}"
    for values, field in (
        ({"url": ""}, "url"),
        ({"active": None}, "active"),
        ({"url": None}, "url"),
        ({"entity": "items"}, "entity"),
        ({"action": "items"}, "action"),
    ):
        refused = await client.put(path, json=values)
        assert (refused.status_code, refused.json()["details"][0]["field"]) == (400, field)


async def test_one_of_a_kind_of_row_that_is_gone_stays_until_it_is_changed_or_deleted(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    made = [await subscribe(client, f"{URL}/{number}", entity="item") for number in range(2)]
    await connection.execute("UPDATE webhooks SET entity = 'note'")

    async def known() -> bool:
        return [each["entity"] for each in (await Pages(WEBHOOKS).page(client))["data"]] == ["note", "note"]

    await wait_for(known)
    for path in (f"{WEBHOOKS}/{each['id']}" for each in made):
        assert (await client.put(path, json={"active": False})).json()["data"]["entity"] == "note"
        assert_refused(await client.put(path, json={"entity": "note"}), "entity", "must be one of")
        assert (await client.get(path)).json()["data"]["entity"] == "note"
    one, other = (f"{WEBHOOKS}/{each['id']}" for each in made)
    assert "entity" not in (await client.put(one, json={"entity": None})).json()["data"]
    assert (await client.delete(other)).json()["data"]["entity"] == "note"


async def test_a_secret_is_shown_once_and_nowhere_else(
    client: httpx.AsyncClient, connection: Connection, logs: list[Any]
) -> None:
    key = {"idempotency-key": "once"}
    made = await client.post(WEBHOOKS, json={"url": URL, "secret": SECRET}, headers=key)
    assert made.json()["data"]["secret"] == SECRET
    assert (await client.post(WEBHOOKS, json={"url": URL, "secret": SECRET}, headers=key)).status_code == 409
    path = made.headers["location"]
    rotated = await client.post(f"{path}/rotate-secret", headers={"x-user-id": "ada"})
    assert rotated.headers["cache-control"] == "no-store"
    secret = rotated.json()["data"]["secret"]
    assert secret != SECRET
    read = await client.get(path)
    assert (read.headers["etag"], "rotatedAt" in read.json()["data"]) == (rotated.headers["etag"], True)
    await client.put(path, json={"description": "Changed"})
    entries = await audit_of(connection, "webhook", made.json()["data"]["id"])
    assert [each["action"] for each in entries] == ["created", "updated", "updated"]
    assert (entries[1]["actor"], list(entries[1]["changes"])) == ("ada", ["rotatedAt"])
    audit = await client.get("/api/v1/audit")
    kept = await connection.fetch("SELECT * FROM idempotency_keys")
    changes = await client.get("/api/v1/changes")
    everywhere = (
        read.text,
        (await client.get(WEBHOOKS)).text,
        audit.text,
        changes.text,
        str(kept),
        str(logs),
    )
    for text in everywhere:
        assert SECRET[6:] not in text
        assert secret[6:] not in text


async def test_for_a_day_after_the_change_both_secrets_verify(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection, run_job: RunJob
) -> None:
    webhook = await subscribe(client, receiver.url(), secret=SECRET)
    path = f"{WEBHOOKS}/{webhook['id']}/rotate-secret"
    secret = (await client.post(path)).json()["data"]["secret"]
    await create_item(client)
    await wait_for(lambda: receiver.answered)
    for each in (SECRET, secret):
        assert receiver.answered[0].verified(each)
    await connection.execute("UPDATE webhooks SET rotated_at = now() - interval '25 hours'")
    await create_item(client)
    await wait_for(lambda: len(receiver.answered) == 2)
    assert " " not in receiver.answered[1].headers["webhook-signature"]
    assert receiver.answered[1].verified(secret)
    assert (await run_job(PRUNE)).result == {"deleted": 0}
    assert await connection.fetchval("SELECT previous_secret IS NULL FROM webhooks")


async def test_deliveries_have_pages_and_old_ones_are_pruned(
    client: httpx.AsyncClient,
    receiver: Receiver,
    connection: Connection,
    run_job: RunJob,
) -> None:
    webhook = await subscribe(client, receiver.url())
    for _ in range(5):
        await create_item(client)

    async def delivered() -> bool:
        return len(await deliveries(client, webhook["id"], state="delivered")) == 5

    await wait_for(delivered)
    pages = Pages(f"{WEBHOOKS}/{webhook['id']}/deliveries")
    whole = [each["id"] for each in (await pages.page(client))["data"]]
    positions = [int(each["position"]) for each in await deliveries(client, webhook["id"])]
    assert positions == sorted(positions)
    assert await pages.walk(client, limit=2) == whole
    page = await pages.page(client, limit=2, offset=1, state="delivered")
    assert ([each["id"] for each in page["data"]], page["total"]) == (whole[1:3], 5)
    assert (await client.get(pages.path, params={"cursor": "x"})).status_code == 400
    assert (await pages.page(client, state="dead"))["data"] == []
    await connection.execute(
        "UPDATE webhook_deliveries SET ended_at = now() - interval '31 days' WHERE id = ANY ($1)", whole[3:]
    )
    await connection.execute(
        "UPDATE webhook_deliveries SET state = 'waiting', ended_at = NULL, created_at = '2020-01-01' "
        "WHERE id = $1",
        whole[0],
    )
    assert (await run_job(PRUNE)).result == {"deleted": 2}
    assert [each["id"] for each in (await pages.page(client))["data"]] == whole[:3]


async def test_many_are_made_at_once(client: httpx.AsyncClient, connection: Connection) -> None:
    made = await asyncio.gather(*(subscribe(client, f"{URL}/{number}") for number in range(20)))
    assert len({each["secret"] for each in made}) == 20
    assert (await Pages(WEBHOOKS).page(client))["count"] == 20

    async def begun() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM jobs WHERE kind = 'webhooks.deliver'"))

    await wait_for(begun)
    assert await connection.fetchval("SELECT count(*) FROM jobs WHERE kind = 'webhooks.deliver'") == 1


@pytest.mark.parametrize("host", ["127.0.0.2", "[::ffff:127.0.0.2]", "2130706434"])
async def test_addresses_inside_are_not_reached(client: httpx.AsyncClient, host: str) -> None:
    """But for those that are listed: the first address of this machine is, the second is not."""
    async with running_receiver("127.0.0.2") as inside:
        webhook = await subscribe(client, f"http://{host}:{inside.port}/")
        await create_item(client)

        async def failed() -> list[str]:
            found = await deliveries(client, webhook["id"])
            return [each["lastError"] for each in found if each["attempts"]]

        assert await wait_for(failed) == [
            "Cannot be reached, or at an internal address that WEBHOOK_ALLOW must name"
        ]
        assert inside.requests == []
