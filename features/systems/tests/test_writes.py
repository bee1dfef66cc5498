"""Writes: audited in their own transaction, one after the other."""

import asyncio

import httpx

from features.systems.tests.factories import PATH, JsonObject, create, new_system
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.sites import Site
from tests.fixtures.trail import audit_of, no_audit


async def test_each_write_leaves_one_entry_with_what_changed(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    headers = {b"x-user-id": " maría ".encode(), b"x-request-id": b"request-1"}
    response = await client.post(PATH, json=new_system(name="Before", port=1), headers=headers)
    before = response.json()["data"]
    url = f"{PATH}/{before['id']}"
    response = await client.put(url, json={"name": "After", "port": None, "status": "online"})
    after = response.json()["data"]
    await client.delete(url, headers={"x-user-id": "bob"})
    created, updated, deleted = await audit_of(connection, "system", before["id"])
    assert (created["action"], created["actor"], created["request_id"]) == ("created", "maría", "request-1")
    assert created["client"] == "127.0.0.1"
    assert created["changes"] == {key: {"before": None, "after": value} for key, value in before.items()}
    assert (updated["action"], updated["actor"]) == ("updated", "anonymous")
    assert updated["changes"] == {
        "name": {"before": "Before", "after": "After"},
        "port": {"before": 1, "after": None},
        "updatedAt": {"before": None, "after": after["updatedAt"]},
    }
    assert (deleted["action"], deleted["actor"]) == ("deleted", "bob")
    assert deleted["changes"] == {key: {"before": value, "after": None} for key, value in after.items()}


async def test_a_refused_write_leaves_no_entry(client: httpx.AsyncClient, connection: Connection) -> None:
    system, other = await create(client), await create(client)
    await client.put(f"{PATH}/{system['id']}", json={"name": other["name"]})
    await client.post(PATH, json=new_system(name=other["name"]))
    await client.put(f"{PATH}/{system['id']}", json={"name": ""})
    await client.put(f"{PATH}/nope", json={"name": "x"})
    await client.delete(f"{PATH}/nope")
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 2


async def test_without_its_audit_entry_no_change_happens(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system = await create(client)
    url, mallory = f"{PATH}/{system['id']}", {"x-user-id": "mallory"}
    async with no_audit(connection):
        responses = [
            await client.post(PATH, json=new_system(), headers=mallory),
            await client.put(url, json={"name": "changed"}, headers=mallory),
            await client.delete(url, headers=mallory),
        ]
    for response in responses:
        assert response.status_code >= 400
        assert "constraint" not in response.text
    assert (await client.get(PATH)).json()["data"] == [system]


async def test_writers_of_different_fields_keep_each_others_changes(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system = await create(client)
    changes: list[JsonObject] = [
        {"name": "New"},
        {"description": "New"},
        {"status": "planned"},
        {"port": 99},
        {"metadata": {"a": 1}},
        {"tags": ["new"]},
    ]
    url = f"{PATH}/{system['id']}"
    await asyncio.gather(*(client.put(url, json=change) for change in changes))
    read = (await client.get(url)).json()["data"]
    for change in changes:
        assert read.items() >= change.items()
    assert await connection.fetchval("SELECT row_version FROM systems") == 1 + len(changes)


async def test_of_many_with_one_name_one_is_created(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    responses = await asyncio.gather(*(client.post(PATH, json=new_system(name="Same")) for _ in range(12)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 11
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 1


async def test_of_many_writers_who_have_seen_the_same_one_is_heard(client: httpx.AsyncClient) -> None:
    system = await create(client)
    url = f"{PATH}/{system['id']}"
    seen = {"if-match": (await client.get(url)).headers["etag"]}
    writes = [client.put(url, json={"port": port}, headers=seen) for port in range(1, 9)]
    answers = await asyncio.gather(*writes, client.delete(url, headers=seen))
    codes = [answer.status_code for answer in answers]
    assert codes.count(200) == 1
    assert set(codes) <= {200, 404, 412}


async def test_a_check_is_a_change_for_those_who_have_seen_the_system_before(
    running_app: RunningApp, site: Site
) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, url=site.url())
        url = f"{PATH}/{system['id']}"
        for _ in range(2):
            seen = {"if-match": (await client.get(url)).headers["etag"]}
            assert (await client.post(f"{url}/health")).json()["status"] == "online"
            refused = await client.put(url, json={"port": 1}, headers=seen)
            assert refused.status_code == 412
            assert refused.json()["message"] == (
                f"System with id {system['id']} was changed meanwhile: read it again"
            )
