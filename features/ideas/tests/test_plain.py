"""With DB_PROJECTED_READS=false the rows are read, and every answer is the same."""

import httpx

from features.ideas.tests.factories import IDEAS, add_system, create, full_idea, seed, update
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection

PATHS = [
    "",
    "?status=review&limit=3",
    "?limit=7&order_direction=asc&offset=2",
    "?order_by=title&limit=5",
    "?order_by=due_date",
    "?search=examples&limit=2",
    "?system_id=hub",
    "/kanban",
]


async def test_without_projection_answers_are_the_same(
    client: httpx.AsyncClient, connection: Connection, running_app: RunningApp
) -> None:
    await seed(connection, 40)
    await add_system(connection, 'The "hub" é', "hub")
    for number in range(3):
        idea = await create(client, **full_idea("hub", title=f"Examples {number}"))
        await update(client, idea["id"], status="completed", actualHours=number / 3)
    # An imported one.
    await connection.execute("UPDATE ideas SET description = NULL WHERE id = 'seed-7'")
    async with running_app(db_projected_reads=False) as plain:
        for path in [*PATHS, f"/{idea['id']}", "/seed-7"]:
            there, here = await plain.get(IDEAS + path), await client.get(IDEAS + path)
            assert (there.status_code, there.content) == (200, here.content), path
            assert there.headers["etag"] == here.headers["etag"]
        # What is written there is as it is seen here.
        seen = {"if-match": (await client.get(f"{IDEAS}/{idea['id']}")).headers["etag"]}
        written = await plain.put(f"{IDEAS}/{idea['id']}", json={"title": "Other"}, headers=seen)
        assert written.status_code == 200
