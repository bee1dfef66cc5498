"""Figures come from the cache, and never miss a write that was answered."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from features.stats.tests.factories import (
    FILES,
    IDEAS,
    STATS,
    SYSTEMS,
    add_file,
    add_idea,
    add_system,
    change,
    get,
)

QUERIES = {
    "dashboard": 6,
    "systems": 1,
    "ideas": 1,
    "files": 1,
    "health": 1,
    "analytics": 3,
    "activity": 1,
    "search?q=notes": 3,
}
"""With nothing to name: what an activity or an idea does not say itself costs a query more."""


@pytest.mark.parametrize("path", QUERIES)
async def test_the_second_read_is_a_hit_without_a_query(client: httpx.AsyncClient, path: str) -> None:
    await add_system(client)
    first, second = await client.get(f"{STATS}/{path}"), await client.get(f"{STATS}/{path}")
    assert f'"{QUERIES[path]} quer' in first.headers["server-timing"]
    assert '"0 queries"' in second.headers["server-timing"]
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.content == second.content
    same = await client.get(f"{STATS}/{path}", headers={"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize(("path", "count"), QUERIES.items())
async def test_the_number_of_queries_does_not_grow(client: httpx.AsyncClient, path: str, count: int) -> None:
    for number in range(6):
        await add_system(client, status="offline" if number % 2 else "online")
        await add_idea(client, "completed" if number % 2 else "new")
        await add_file(client, "other.txt")
    response = await client.get(f"{STATS}/{path}")
    assert f'"{count} quer' in response.headers["server-timing"]


async def test_a_write_of_a_system_is_in_the_next_read(client: httpx.AsyncClient) -> None:
    async def figures() -> tuple[int, int, str, int, int, int]:
        return (
            (await get(client, "systems"))["byStatus"]["offline"],
            (await get(client, "dashboard"))["systems"]["total"],
            (await get(client, "health"))["overall"],
            (await get(client, "analytics"))["systems"][-1]["count"],
            len((await get(client, "search", q="orders"))["systems"]),
            len((await get(client, "activity"))["activities"]),
        )

    assert await figures() == (0, 0, "healthy", 0, 0, 0)
    system = await add_system(client, name="Orders")
    assert await figures() == (0, 1, "healthy", 1, 1, 1)
    await change(client, f"{SYSTEMS}/{system['id']}", status="offline")
    assert await figures() == (1, 1, "critical", 1, 1, 2)
    assert (await client.delete(f"{SYSTEMS}/{system['id']}")).status_code == 200
    assert await figures() == (0, 0, "healthy", 0, 0, 2)


async def test_a_check_of_a_system_is_in_the_next_read(client: httpx.AsyncClient) -> None:
    """Without an address it is not known whether it answers; that it was looked at is."""
    system = await add_system(client)
    before = await get(client, "health")
    checked = await client.post(f"{SYSTEMS}/{system['id']}/health")
    assert checked.status_code == 200
    after = await get(client, "health")
    if checked.json()["status"] == "unknown":
        assert after["systems"] == before["systems"]
    else:
        assert after["lastChecked"] == checked.json()["lastChecked"]


async def test_a_write_of_an_idea_is_in_the_next_read(client: httpx.AsyncClient) -> None:
    async def figures() -> tuple[int, int, int, int, int]:
        return (
            (await get(client, "ideas"))["byStatus"]["completed"],
            (await get(client, "dashboard"))["ideas"]["active"],
            (await get(client, "analytics"))["ideas"][-1]["count"],
            len((await get(client, "search", q="pagination"))["ideas"]),
            len((await get(client, "activity"))["activities"]),
        )

    assert await figures() == (0, 0, 0, 0, 0)
    idea = await add_idea(client)
    assert await figures() == (0, 1, 1, 1, 1)
    await change(client, f"{IDEAS}/{idea['id']}", status="completed")
    assert await figures() == (1, 0, 1, 1, 2)
    assert (await client.delete(f"{IDEAS}/{idea['id']}")).status_code == 200
    assert await figures() == (0, 0, 0, 0, 2)


async def test_a_write_of_a_file_is_in_the_next_read(client: httpx.AsyncClient) -> None:
    async def figures() -> tuple[int, int, int, int, int]:
        return (
            (await get(client, "files"))["totalSize"],
            (await get(client, "dashboard"))["files"]["total"],
            (await get(client, "analytics"))["files"][-1]["count"],
            len((await get(client, "search", q="notes"))["files"]),
            len((await get(client, "activity"))["activities"]),
        )

    assert await figures() == (0, 0, 0, 0, 0)
    file = await add_file(client, "notes.txt", b"12345")
    assert await figures() == (5, 1, 1, 1, 1)
    assert (await client.delete(f"{FILES}/{file['id']}")).status_code == 200
    assert await figures() == (0, 0, 0, 0, 1)


Write = Callable[[httpx.AsyncClient], Awaitable[object]]


@pytest.mark.parametrize(
    ("write", "kept"), [(add_system, ("ideas", "files")), (add_idea, ("systems", "files", "health"))]
)
async def test_a_write_leaves_the_figures_of_other_slices_in_the_cache(
    client: httpx.AsyncClient, write: Write, kept: tuple[str, ...]
) -> None:
    for path in kept:
        await get(client, path)
    await write(client)
    for path in kept:
        assert (await client.get(f"{STATS}/{path}")).headers["x-cache"] == "HIT"
