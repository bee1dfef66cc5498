"""With AUTH=keys a file that is not public is for the holder who uploaded it and for administrators,
everywhere.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from features.keys.tests.factories import bearer, make_key
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.services import TestServices

FILES = "/api/v1/files"
Headers = dict[str, str]


@dataclass(frozen=True)
class House:
    """Three holders, and a private file of the first one."""

    client: httpx.AsyncClient
    owner: Headers
    other: Headers
    admin: Headers
    file_id: str

    async def get(self, path: str, headers: Headers) -> Any:
        response = await self.client.get(path, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def publish(self) -> None:
        changed = await self.client.put(
            f"{FILES}/{self.file_id}", json={"is_public": True}, headers=self.owner
        )
        assert changed.status_code == 200


@pytest_asyncio.fixture(loop_scope="session")
async def house(running_app: "RunningApp", db: "Database") -> AsyncIterator[House]:
    owner, other = bearer(await make_key(db, "write", "owner")), bearer(await make_key(db, "write", "other"))
    admin = bearer(await make_key(db, "admin", "boss"))
    async with running_app(auth="keys") as client:
        form = {"file": ("confidential.txt", b"the zebra sleeps at noon", "text/plain")}
        # A label beside the key does not make the file somebody else's.
        made = await client.post(f"{FILES}/upload", files=form, headers={**owner, "x-user-id": "other"})
        assert made.status_code == 201
        assert made.json()["data"]["uploadedBy"] == "owner"
        house = House(client, owner, other, admin, made.json()["data"]["id"])

        async def indexed() -> bool:
            return bool((await house.get("/api/v1/search?q=zebra", owner))["data"])

        await wait_for(indexed)
        yield house


async def test_lists_and_figures(house: House) -> None:
    for path, of in (
        (FILES, lambda answer: answer["total"]),
        (f"{FILES}/search?q=confidential", len),
        (f"{FILES}/statistics", lambda answer: answer["total"]),
        ("/api/v1/stats/search?q=confidential", lambda answer: len(answer["files"])),
        ("/api/v1/stats", lambda answer: answer["files"]["total"]),
        ("/api/v1/stats/dashboard", lambda answer: answer["files"]["created"]),
        ("/api/v1/stats/dashboard", lambda answer: min(1, answer["files"]["totalSize"])),
        ("/api/v1/stats/files", lambda answer: answer["total"]),
        ("/api/v1/stats/files", lambda answer: min(1, answer["totalSize"])),
        ("/api/v1/stats/files", lambda answer: len(answer["byMimeType"])),
        ("/api/v1/stats/analytics", lambda answer: sum(day["count"] for day in answer["files"])),
        ("/api/v1/stats/activity", lambda answer: len(answer["activities"])),
        ("/api/v1/search?q=zebra", lambda answer: answer["total"]),
        ("/api/v1/suggest?q=confid", lambda answer: min(1, len(answer["data"]))),
        ("/api/v1/suggest?q=zeb", lambda answer: len(answer["data"])),
    ):
        for _ in range(2):  # the second time from the cache
            found = [of(await house.get(path, who)) for who in (house.owner, house.other, house.admin)]
            assert found == [1, 0, 1], path


async def test_the_file_itself(house: House) -> None:
    one = f"{FILES}/{house.file_id}"
    for path in (one, f"{one}/download", f"/api/v1/search/documents/upload:{house.file_id}"):
        for _ in range(2):
            statuses = [
                (await house.client.get(path, headers=who)).status_code
                for who in (house.owner, house.admin, house.other)
            ]
            assert statuses == [200, 200, 404], path
    for method in ("PUT", "DELETE"):
        refused = await house.client.request(method, one, json={"description": "mine"}, headers=house.other)
        assert refused.status_code == 404


async def test_a_label_opens_nothing(house: House) -> None:
    forged = {**house.other, "x-user-id": "owner"}
    assert (await house.client.get(f"{FILES}/{house.file_id}", headers=forged)).status_code == 404


async def test_published_it_is_for_all(house: House) -> None:
    assert (await house.get(FILES, house.other))["total"] == 0
    await house.publish()
    assert (await house.get(FILES, house.other))["total"] == 1
    assert len((await house.get("/api/v1/stats/search?q=confidential", house.other))["files"]) == 1

    async def found() -> bool:
        return bool((await house.get("/api/v1/search?q=zebra", house.other))["data"])

    await wait_for(found)


FINDS = (
    "/api/v1/search?q=zebra",
    "/api/v1/suggest?q=confid",
    "/api/v1/suggest?q=zeb",
    "/api/v1/stats/search?q=confidential",
)


def found_in(answer: dict[str, Any]) -> list[Any]:
    found: list[Any] = answer["files"] if "files" in answer else answer["data"]
    return found


@pytest.mark.parametrize("cached", [False, True])
async def test_made_private_it_is_found_by_nobody_else_from_that_answer_on(
    house: House, services: "TestServices", cached: bool
) -> None:
    """Also when its content cannot be read any more, so that it is never indexed again."""
    one, document = f"{FILES}/{house.file_id}", f"/api/v1/search/documents/upload:{house.file_id}"
    await house.publish()

    async def found() -> bool:
        answers = [await house.get(path, house.other) for path in FINDS]
        return all(found_in(answer) for answer in answers)

    await wait_for(found)
    assert (await house.client.get(document, headers=house.other)).status_code == 200
    services.execute("UPDATE files SET object_key = 'gone'", url=services.database_url)
    if cached:
        for path in FINDS:
            await house.get(path, house.other)
    hidden = await house.client.put(one, json={"is_public": False}, headers=house.owner)
    assert hidden.status_code == 200
    for path in FINDS:
        answer = await house.get(path, house.other)
        assert found_in(answer) == [], path
    assert (await house.client.get(document, headers=house.other)).status_code == 404
    assert (await house.get("/api/v1/search?q=zebra", house.owner))["total"] == 1


async def test_deleted_it_is_found_by_nobody_from_that_answer_on(house: House) -> None:
    deleted = await house.client.delete(f"{FILES}/{house.file_id}", headers=house.owner)
    assert deleted.status_code == 200
    for path in FINDS:
        answer = await house.get(path, house.admin)
        assert found_in(answer) == [], path


async def test_without_keys_everybody_sees_everything(client: httpx.AsyncClient) -> None:
    form = {"file": ("confidential.txt", b"the zebra sleeps at noon", "text/plain")}
    await client.post(f"{FILES}/upload", files=form, headers={"x-user-id": "ada"})
    assert (await client.get(FILES, headers={"x-user-id": "eve"})).json()["total"] == 1
