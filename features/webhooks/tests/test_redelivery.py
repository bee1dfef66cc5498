"""How deliveries fare, and the dead sent again all at once."""

import asyncio
from typing import Any

import httpx
import pytest

from features.webhooks import service
from features.webhooks.tests.receiver import (
    WEBHOOKS,
    Receiver,
    Request,
    accept,
    create_item,
    deliveries,
    refuse,
    retitle,
    subscribe,
)
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for


async def health(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await client.get(f"{WEBHOOKS}/health")).json()["data"]
    return told


async def test_health_tells_since_when_and_why_deliveries_fail(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    webhook = await subscribe(client, receiver.url())
    assert await health(client) == []
    receiver.answer = refuse
    item_id = await create_item(client)
    await retitle(client, item_id, "Later")

    async def failing() -> bool:
        return any("failingSince" in each for each in await health(client))

    await wait_for(failing)
    [told] = await health(client)
    [first] = [each for each in await deliveries(client, webhook["id"]) if each["attempts"]]
    assert told == {
        "webhookId": webhook["id"],
        "waiting": 2,
        "dead": 0,
        "failingSince": told["failingSince"],
        "nextAttemptAt": first["nextAttemptAt"],
        "lastError": "Answered with status 500",
    }
    assert told["failingSince"] <= first["lastAttemptAt"]


async def test_after_an_outage_the_dead_are_sent_again_in_the_order_of_their_rows(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection
) -> None:
    webhook, other = [await subscribe(client, receiver.url()) for _ in range(2)]
    rows = [await create_item(client) for _ in range(2)]
    for row in rows:
        await retitle(client, row, "Later")
    await wait_for(lambda: len(receiver.told) == 8)

    async def ended() -> bool:
        found = [each for hook in (webhook, other) for each in await deliveries(client, hook["id"])]
        return {each["state"] for each in found} == {"delivered"}

    await wait_for(ended)
    await connection.execute("UPDATE webhook_deliveries SET state = 'dead', attempts = 7")
    receiver.answered.clear()
    told = sorted((each["webhookId"], each["waiting"], each["dead"]) for each in await health(client))
    assert told == sorted((hook["id"], 0, 4) for hook in (webhook, other))
    path = f"{WEBHOOKS}/{webhook['id']}/redeliver-dead"
    again = await client.post(path)
    assert again.json()["data"] == {"count": 4, "more": False}
    await wait_for(lambda: len(receiver.told) == 4)
    for row in rows:
        assert [action for told, action in receiver.told if told == row] == ["created", "updated"]
    assert len(await deliveries(client, other["id"], state="dead")) == 4
    assert (await client.post(path)).json()["data"]["count"] == 0
    assert (await client.post(f"{WEBHOOKS}/other/redeliver-dead")).status_code == 404


ROWS, CHANGES = 3, 4
DIED = """
UPDATE webhook_deliveries SET state = 'dead', attempts = 7, ended_at = now(), next_attempt_at = NULL
WHERE webhook_id = $1
"""
DUE = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL"


async def all_dead(client: httpx.AsyncClient, connection: Connection, webhook: dict[str, Any]) -> list[str]:
    """Rows with several changes each, whose deliveries have all been given up."""
    rows = [await create_item(client) for _ in range(ROWS)]
    for number in range(1, CHANGES):
        for row in rows:
            await retitle(client, row, f"Title {number}")

    async def made() -> bool:
        found = await deliveries(client, webhook["id"])
        return len(found) == ROWS * CHANGES and {each["state"] for each in found} == {"delivered"}

    await wait_for(made)
    await connection.execute(DIED, webhook["id"])
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
async def test_the_dead_of_a_row_keep_their_order_however_many_are_asked_for_at_once(
    client: httpx.AsyncClient,
    receiver: Receiver,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    webhook = await subscribe(client, receiver.url())
    rows = await all_dead(client, connection, webhook)
    first = {row: receiver.of(row)[0]["position"] for row in rows}
    receiver.requests.clear()
    receiver.answered.clear()
    receiver.answer = refuse
    monkeypatch.setattr(service, "BATCH", at_once)
    path = f"{WEBHOOKS}/{webhook['id']}/redeliver-dead"
    more, count = True, 0
    while more:
        told = (await client.post(path)).json()["data"]
        more, count = told["more"], count + told["count"]
    assert count == ROWS * CHANGES

    async def tried() -> bool:
        found = await deliveries(client, webhook["id"])
        return {each["entityId"] for each in found if each["attempts"]} == set(rows)

    await wait_for(tried)
    # A first one that is refused holds up the others of its row.
    assert {each.change["position"] for each in receiver.requests} == set(first.values())
    receiver.answer = accept
    await connection.execute(DUE)
    await wait_for(lambda: len(receiver.answered) == ROWS * CHANGES)
    for row in rows:
        positions = [int(each["position"]) for each in receiver.of(row)]
        assert positions == sorted(positions)


async def test_the_dead_wait_for_an_earlier_one_that_is_under_way_and_then_go_on(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection
) -> None:
    webhook = await subscribe(client, receiver.url())
    rows = await all_dead(client, connection, webhook)
    receiver.requests.clear()
    receiver.answered.clear()
    answered = asyncio.Event()

    async def late(request: Request) -> bytes:
        await answered.wait()
        return await accept(request)

    receiver.answer = late
    for each in (await deliveries(client, webhook["id"]))[:ROWS]:
        again = f"{WEBHOOKS}/{webhook['id']}/deliveries/{each['id']}/redeliver"
        assert (await client.post(again)).status_code == 200
    await wait_for(lambda: len(receiver.requests) == ROWS)
    told = await client.post(f"{WEBHOOKS}/{webhook['id']}/redeliver-dead")
    assert told.json()["data"] == {"count": ROWS * (CHANGES - 1), "more": False}
    waiting = await deliveries(client, webhook["id"], state="waiting")
    assert len([each for each in waiting if "nextAttemptAt" in each]) == ROWS
    answered.set()
    await wait_for(lambda: len(receiver.answered) == ROWS * CHANGES)
    for row in rows:
        positions = [int(each["position"]) for each in receiver.of(row)]
        assert positions == sorted(positions)
