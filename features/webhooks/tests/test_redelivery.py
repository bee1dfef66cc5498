"""How deliveries fare, and the dead sent again all at once."""

from typing import Any

import httpx

from features.webhooks.tests.receiver import (
    WEBHOOKS,
    Receiver,
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
