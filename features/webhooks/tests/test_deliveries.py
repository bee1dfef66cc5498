"""Deliveries: what a receiver gets, in which order, and what happens when it fails."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from features.webhooks.tests.receiver import (
    WEBHOOKS,
    Receiver,
    Request,
    accept,
    create_item,
    deliveries,
    hang,
    refuse,
    retitle,
    running_receiver,
    subscribe,
)
from tests.fixtures.database import Connection
from tests.fixtures.sites import http
from tests.fixtures.waiting import wait_for

FAILING_FOR = """
UPDATE webhook_deliveries SET first_attempt_at = now() - $1::interval, next_attempt_at = now()
WHERE attempts > 0 AND state = 'waiting'
"""
DUE = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL"


async def test_a_change_arrives_signed_and_as_the_log_tells_it(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await create_item(client)  # before the webhook: not told
    webhook = await subscribe(client, receiver.url("/hook?a=b"))
    item_id = await create_item(client)
    await wait_for(lambda: receiver.answered)
    [request] = receiver.requests
    payload = request.verified(webhook["secret"])
    change = (await client.get("/api/v1/changes", params={"entity_id": item_id})).json()["data"][0]
    assert payload == {"type": "item.created", "timestamp": change["at"], "data": change}
    assert request.path == "/hook?a=b"
    assert request.headers["content-type"] == "application/json"
    request.body += b" "
    with pytest.raises(WebhookVerificationError):
        request.verified(webhook["secret"])

    async def recorded() -> bool:
        return [each["state"] for each in await deliveries(client, webhook["id"])] == ["delivered"]

    await wait_for(recorded)
    [delivery] = await deliveries(client, webhook["id"])
    assert delivery["id"] == request.headers["webhook-id"]
    assert (delivery["attempts"], delivery["lastStatus"], delivery["type"]) == (1, 204, "item.created")
    assert "lastError" not in delivery
    assert "nextAttemptAt" not in delivery


async def test_filters_have_the_words_of_the_log(client: httpx.AsyncClient, receiver: Receiver) -> None:
    item_id = await create_item(client)
    async with running_receiver() as other, running_receiver() as all_of_it:
        await subscribe(client, receiver.url(), action="updated")
        await subscribe(client, other.url(), entity=None, entityId=item_id)
        await subscribe(client, all_of_it.url(), entity=None)
        await create_item(client)
        await retitle(client, item_id, "Changed")
        system = {"name": "S", "description": "D", "status": "online"}
        assert (await client.post("/api/v1/systems", json=system)).status_code == 201
        # Without a filter it is told of webhooks too, as of its own making.
        await wait_for(lambda: len(all_of_it.answered) == 4 and receiver.told and other.told)
        entities = sorted(each.change["entity"] for each in all_of_it.answered)
        assert entities == ["item", "item", "system", "webhook"]
        assert receiver.told == other.told == [(item_id, "updated")]


async def test_a_row_keeps_its_order_while_it_fails_and_holds_up_no_other(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection
) -> None:
    webhook = await subscribe(client, receiver.url())
    bad, good = await create_item(client), await create_item(client)
    await wait_for(lambda: len(receiver.answered) == 2)

    async def poison(request: Request) -> bytes:
        return await (refuse if request.change["entityId"] == bad else accept)(request)

    receiver.answer = poison
    for number in range(3):
        await retitle(client, bad, f"Bad {number}")
        await retitle(client, good, f"Good {number}")
    await wait_for(lambda: len(receiver.of(good)) == 4)
    tried = [each for each in receiver.requests[2:] if each.change["entityId"] == bad]
    assert len(tried) == 1

    async def failed() -> list[dict[str, Any]]:
        waiting = await deliveries(client, webhook["id"], state="waiting")
        found = [each for each in waiting if each["entityId"] == bad]
        return found if found[0]["attempts"] else []

    first, *later = await wait_for(failed)
    assert (first["lastStatus"], first["lastError"]) == (500, "Answered with status 500")
    assert first["nextAttemptAt"] > first["lastAttemptAt"]
    assert [("nextAttemptAt" in each, each["attempts"]) for each in later] == [(False, 0)] * 2
    receiver.answer = accept
    await connection.execute(DUE)
    await wait_for(lambda: len(receiver.of(bad)) == 4)
    positions = [int(change["position"]) for change in receiver.of(bad)]
    assert positions == sorted(positions)
    again = [each for each in receiver.answered if each.headers["webhook-id"] == first["id"]]
    assert [each.verified(webhook["secret"])["data"]["position"] for each in again] == [first["position"]]


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (http(302, location="/elsewhere"), 302, "Answered with status 302"),
        (http(404), 404, "Answered with status 404"),
        (b"nonsense\r\n\r\n", None, "Ends the connection without a complete HTTP answer"),
        (http(503, b"", **{"Retry-After": "1000"}), 503, "Answered with status 503"),
    ],
)
async def test_what_is_no_success_is_tried_again_later(
    client: httpx.AsyncClient, receiver: Receiver, answer: bytes, status: int | None, error: str
) -> None:
    async def answering(request: Request) -> bytes:
        return answer

    receiver.answer = answering
    webhook = await subscribe(client, receiver.url())
    await create_item(client)

    async def failed() -> dict[str, Any] | None:
        found = await deliveries(client, webhook["id"])
        return found[0] if found and found[0]["attempts"] else None

    delivery = await wait_for(failed)
    assert delivery is not None
    assert (delivery.get("lastStatus"), delivery["lastError"], delivery["state"]) == (
        status,
        error,
        "waiting",
    )
    delay = (moment(delivery["nextAttemptAt"]) - moment(delivery["lastAttemptAt"])).total_seconds()
    assert 990 <= delay <= 1001 if status == 503 else 3.9 <= delay <= 6.1
    assert [each.path for each in receiver.requests] == ["/"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def test_a_day_of_failure_is_a_dead_letter_and_the_row_goes_on(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection
) -> None:
    webhook = await subscribe(client, receiver.url())
    receiver.answer = refuse
    item_id = await create_item(client)
    await retitle(client, item_id, "Later")

    async def first() -> dict[str, Any] | None:
        found = await deliveries(client, webhook["id"])
        return found[0] if found and found[0]["attempts"] else None

    def hours_left(delivery: dict[str, Any]) -> float:
        return (moment(delivery["nextAttemptAt"]) - datetime.now(UTC)).total_seconds() / 3600

    await wait_for(first)
    await connection.execute(FAILING_FOR, timedelta(hours=23))

    async def second() -> bool:
        delivery = await first()
        assert delivery is not None
        # The last attempt is made when the day is over, not after it.
        return delivery["attempts"] == 2 and hours_left(delivery) <= 1

    await wait_for(second)
    await connection.execute("UPDATE webhook_deliveries SET attempts = 5 WHERE attempts = 2")
    await connection.execute(FAILING_FOR, timedelta(hours=23))

    async def capped() -> bool:
        delivery = await first()
        assert delivery is not None
        return delivery["attempts"] == 6 and 0.9 < hours_left(delivery) <= 1

    await wait_for(capped)
    await connection.execute(FAILING_FOR, timedelta(hours=25))

    async def dead() -> list[dict[str, Any]]:
        return await deliveries(client, webhook["id"], state="dead")

    [letter] = await wait_for(dead)
    assert (letter["type"], letter["lastStatus"]) == ("item.created", 500)
    assert "nextAttemptAt" not in letter
    await wait_for(lambda: receiver.requests[-1].change["action"] == "updated")
    receiver.answer = accept
    await connection.execute(DUE)
    await wait_for(lambda: receiver.told == [(item_id, "updated")])
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries/{letter['id']}/redeliver"
    again = await client.post(path)
    assert (again.status_code, again.json()["data"]["state"]) == (200, "waiting")
    await wait_for(lambda: receiver.told[1:] == [(item_id, "created")])
    assert receiver.answered[-1].headers["webhook-id"] == letter["id"]
    elsewhere = await client.post(f"{WEBHOOKS}/other/deliveries/{letter['id']}/redeliver")
    assert elsewhere.status_code == 404


async def test_a_receiver_that_hangs_holds_up_no_other(client: httpx.AsyncClient, receiver: Receiver) -> None:
    async with running_receiver() as stuck:
        stuck.answer = hang
        await subscribe(client, stuck.url())
        await subscribe(client, receiver.url())
        for _ in range(20):
            await create_item(client)
        await wait_for(lambda: len(receiver.answered) == 20)
        assert 1 <= len(stuck.requests) <= 8


async def test_410_turns_it_off_and_turned_on_it_goes_on_where_it_stopped(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    async def gone(request: Request) -> bytes:
        return http(410)

    receiver.answer = gone
    webhook = await subscribe(client, receiver.url())
    path = f"{WEBHOOKS}/{webhook['id']}"
    first = await create_item(client)

    async def turned_off() -> bool:
        return not (await client.get(path)).json()["data"]["active"]

    await wait_for(turned_off)
    assert "410 Gone" in (await client.get(path)).json()["data"]["notice"]
    second = await create_item(client)
    receiver.answer = accept
    async with running_receiver() as other:  # changes are read meanwhile, for others
        await subscribe(client, other.url())
        third = await create_item(client)
        await wait_for(lambda: other.told == [(third, "created")])
        assert len(receiver.requests) == 1
        on = await client.put(path, json={"active": True})
        assert "notice" not in on.json()["data"]
        await wait_for(lambda: {row for row, _ in receiver.told} == {second, third})
        assert [row for row, _ in other.told] == [third]

    async def only_the_first_waits() -> bool:  # by its back-off
        waiting = await deliveries(client, webhook["id"], state="waiting")
        return [each["entityId"] for each in waiting] == [first]

    await wait_for(only_the_first_waits)


async def test_what_was_forgotten_before_it_was_told_is_said(
    client: httpx.AsyncClient, receiver: Receiver, connection: Connection
) -> None:
    webhook = await subscribe(client, receiver.url(), active=False)
    path = f"{WEBHOOKS}/{webhook['id']}"
    await create_item(client)
    await client.get("/api/v1/changes")  # numbers them
    quiet = await subscribe(client, receiver.url(), active=False)
    week_us = 8 * 86_400_000_000
    await connection.execute("UPDATE webhooks SET position = position - $1::bigint", week_us)
    await connection.execute(
        "UPDATE webhooks SET position = (SELECT newest FROM change_positions) WHERE id = $1", quiet["id"]
    )
    await connection.execute("DELETE FROM change_events")
    await connection.execute("UPDATE change_positions SET kept_from = newest")
    for each in (webhook, quiet):
        assert (await client.put(f"{WEBHOOKS}/{each['id']}", json={"active": True})).status_code == 200
    item_id = await create_item(client)
    await wait_for(lambda: receiver.told == [(item_id, "created")] * 2)
    assert "CHANGES_RETENTION_DAYS" in (await client.get(path)).json()["data"]["notice"]
    assert "notice" not in (await client.get(f"{WEBHOOKS}/{quiet['id']}")).json()["data"]
