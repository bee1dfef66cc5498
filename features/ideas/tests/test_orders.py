"""Orders of the list, and searching in it."""

from collections.abc import Callable

import httpx
import pytest

from features.ideas.tests.factories import IDEAS, PRIORITIES, STATUSES, JsonObject, create, seed, update
from tests.fixtures.database import Connection
from tests.fixtures.pages import Pages, ids

page = Pages(IDEAS).page

Key = Callable[[JsonObject], object]
KEYS: dict[str, Key] = {
    "created_at": lambda idea: idea["createdAt"],
    "updated_at": lambda idea: idea.get("updatedAt", idea["createdAt"]),
    "title": lambda idea: idea["title"].lower(),
    "priority": lambda idea: PRIORITIES.index(idea["priority"]),
    "status": lambda idea: STATUSES.index(idea["status"]),
    "due_date": lambda idea: idea.get("dueDate", ""),
}
FIRST = {"title": "asc", "status": "asc", "due_date": "asc"}


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("order_by", list(KEYS))
async def test_every_order_in_both_directions_with_stable_ties(
    client: httpx.AsyncClient, connection: Connection, order_by: str, direction: str
) -> None:
    await seed(connection, 120)
    await connection.execute(
        "UPDATE ideas SET title = 'Idea ' || length(title), updated_at = date_trunc('month', updated_at)"
    )
    reverse = direction == "desc"
    rows = (await page(client))["data"]
    # Ties go by id: ascending with the first direction of the index, descending with the other.
    rows.sort(key=lambda idea: idea["id"], reverse=reverse != (order_by == "created_at"))
    rows.sort(key=KEYS[order_by], reverse=reverse)
    if order_by == "due_date":
        rows.sort(key=lambda idea: "dueDate" not in idea)
    assert len({str(KEYS[order_by](row)) for row in rows}) < len(rows)
    expected = [row["id"] for row in rows]
    body = await page(client, order_by=order_by, order_direction=direction)
    assert ids(body) == expected
    assert ids(await page(client, order_by=order_by, order_direction=direction.upper())) == expected
    by_offset = [
        await page(client, order_by=order_by, order_direction=direction, limit=50, offset=offset)
        for offset in (0, 50, 100)
    ]
    assert [idea_id for body in by_offset for idea_id in ids(body)] == expected
    if direction == FIRST.get(order_by, "desc"):
        assert ids(await page(client, order_by=order_by)) == expected


async def test_titles_go_by_letters_whatever_their_case_and_accents(client: httpx.AsyncClient) -> None:
    for title in ("zebra", "Árvore", "banana", "Zinco", "água", "Banco"):
        await create(client, title=title)
    body = await page(client, order_by="title")
    titles = [idea["title"] for idea in body["data"]]
    assert titles == ["água", "Árvore", "banana", "Banco", "zebra", "Zinco"]


async def test_an_updated_idea_comes_first_by_its_update(client: httpx.AsyncClient) -> None:
    first, second, third = [await create(client, title=str(number)) for number in range(3)]
    await update(client, first["id"], title="changed")
    assert ids(await page(client, order_by="updated_at")) == [first["id"], third["id"], second["id"]]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("pagination", ["1"]),
        ("PAGINATION guide", ["1"]),
        ("guide pagi", ["1"]),
        ("paginate", ["1"]),
        ("pagination absent", []),
        ("documentacao", ["2"]),
        ("Documentação", ["2"]),
        ("documentações", ["2"]),
        ("integração", ["2"]),
        ("integra", ["2"]),
        ("ab", []),
        ("100%", ["3"]),
        ("o'brien", ["3"]),
        ("pagination & guide", ["1"]),
        ("!pagination", ["1"]),
        ("' OR 1=1 --", []),
        ("':*", []),
        ("%%", []),
        ("\\\\", []),
        ("  guide  ", ["1"]),
    ],
)
async def test_search_finds_words_in_both_languages(
    client: httpx.AsyncClient, connection: Connection, search: str, found: list[str]
) -> None:
    texts = [
        ("Pagination of lists", "A guide with examples"),
        ("Documentação", "da integração com ÁGUA"),
        ("100 reasons", "O'Brien's back\\slash"),
    ]
    for number, (title, description) in enumerate(texts, 1):
        idea = await create(client, title=title, description=description)
        await connection.execute("UPDATE ideas SET id = $1 WHERE id = $2", str(number), idea["id"])
    body = await page(client, search=search, limit=100)
    assert ids(body) == found
    assert body["total"] == len(found)
    assert ids(await page(client, search=search)) == found


async def test_the_orders_and_pages_of_a_search(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 120)
    by_title = ids(await page(client, order_by="title", status="review"))
    assert ids(await page(client, search="about", order_by="title", status="review")) == by_title
    part = await page(client, search="about", order_by="title", status="review", limit=5, offset=5)
    assert ids(part) == by_title[5:10]
    assert part["total"] == len(by_title)


async def test_a_list_longer_than_the_rows_read_by_id(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 5100)
    body = await page(client, order_by="priority", order_direction="asc")
    assert body["total"] == 5100
    ranks = [PRIORITIES.index(idea["priority"]) for idea in body["data"]]
    assert ranks == sorted(ranks)
    assert (await page(client, search="about"))["count"] == 5100
