"""Dead deliveries of a webhook, sent again all at once."""

import httpx

from features.webhooks.tests.receiver import WEBHOOKS, Receiver, create_item, deliveries, retitle, subscribe
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for


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
    path = f"{WEBHOOKS}/{webhook['id']}/redeliver-dead"
    again = await client.post(path)
    assert again.json()["data"] == {"count": 4, "more": False}
    await wait_for(lambda: len(receiver.told) == 4)
    for row in rows:
        assert [action for told, action in receiver.told if told == row] == ["created", "updated"]
    assert len(await deliveries(client, other["id"], state="dead")) == 4
    assert (await client.post(path)).json()["data"]["count"] == 0
    assert (await client.post(f"{WEBHOOKS}/other/redeliver-dead")).status_code == 404
