"""Writes with relations are several statements in a transaction of Prisma's own: each names the author."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest
import pytest_asyncio

from core.database.client import Author
from tests.database.test_authored import ADA
from tests.fixtures.services import TestServices

TABLES: Final = ("Author", "Profile", "Book", "Label", "Place")

_LOG: Final = """
CREATE TABLE author_log (number bigserial, what text, author jsonb);
CREATE FUNCTION log_author() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO author_log (what, author)
    SELECT TG_OP || ' ' || TG_TABLE_NAME, nullif(current_setting('handover.author', true), '')::jsonb;
    RETURN NULL;
END $$;
"""
_TRIGGERS: Final = "".join(
    f'CREATE TRIGGER logged AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
    "FOR EACH ROW EXECUTE FUNCTION log_author();"
    for table in TABLES
)
_UNDO: Final = "DROP TABLE author_log; DROP FUNCTION log_author CASCADE;"


@pytest_asyncio.fixture(loop_scope="session")
async def logged(showcase: Any, showcase_url: str, services: TestServices) -> AsyncIterator[Any]:
    """The client, over tables whose every change is logged with its author."""
    services.execute(_LOG + _TRIGGERS, url=showcase_url)
    yield showcase
    services.execute(_UNDO, url=showcase_url)


async def log(client: Any) -> list[tuple[str, str | None]]:
    rows = await client.query_raw(
        "SELECT what, author ->> 'author' AS author FROM author_log ORDER BY number"
    )
    return [(row["what"], row["author"]) for row in rows]


def author(email: str, **fields: Any) -> dict[str, Any]:
    return {"email": email, "name": email, **fields}


async def create(client: Any, email: str) -> Any:
    return await client.author.create(
        data=author(
            email,
            profile={"create": {"bio": "x"}},
            books={"create": [{"title": "one"}, {"title": "two", "labels": {"create": {"name": email}}}]},
        ),
        include={"books": {"include": {"labels": True}}, "profile": True},
    )


WRITES: Final[dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]]] = {
    "update": (
        lambda client: client.author.update(
            where={"email": "old"},
            data={
                "name": "new",
                "profile": {"update": {"bio": "y"}},
                "books": {"create": {"title": "three"}},
            },
            include={"books": True},
        ),
        {"UPDATE Author", "UPDATE Profile", "INSERT Book"},
    ),
    "connect_or_create": (
        lambda client: client.book.create(
            data={
                "title": "x",
                "author": {"create": author("new")},
                "labels": {"connect_or_create": {"where": {"name": "l"}, "create": {"name": "l"}}},
            }
        ),
        {"INSERT Book", "INSERT Author", "INSERT Label"},
    ),
    "upsert that creates": (
        lambda client: client.author.upsert(
            where={"email": "new"},
            data={"create": author("new", books={"create": {"title": "x"}}), "update": {"name": "n"}},
            include={"books": True},
        ),
        {"INSERT Author", "INSERT Book"},
    ),
    "upsert that updates": (
        lambda client: client.author.upsert(
            where={"email": "old"},
            data={"create": author("old"), "update": {"name": "n", "books": {"create": {"title": "x"}}}},
            include={"books": True},
        ),
        {"UPDATE Author", "INSERT Book"},
    ),
    "delete with include": (
        lambda client: client.author.delete(where={"email": "old"}, include={"books": True, "profile": True}),
        {"DELETE Author", "DELETE Profile", "UPDATE Book"},
    ),
    "disconnect and delete": (
        lambda client: client.author.update(
            where={"email": "old"}, data={"profile": {"delete": True}, "books": {"set": []}}
        ),
        {"DELETE Profile", "UPDATE Book"},
    ),
    "many at once": (
        lambda client: client.place.create_many(data=[{"shelf": n, "slot": n} for n in range(17_000)]),
        {"INSERT Place"},
    ),
    "many at once, some there": (
        lambda client: client.place.create_many(
            data=[{"shelf": n % 2, "slot": n % 2} for n in range(10)], skip_duplicates=True
        ),
        {"INSERT Place"},
    ),
}


@pytest.mark.parametrize("write", WRITES)
async def test_every_statement_of_a_write_names_the_author(logged: Any, write: str) -> None:
    await create(logged, "old")
    before = len(await log(logged))
    work, expected = WRITES[write]
    await work(logged.acting_as(ADA))
    entries = (await log(logged))[before:]
    assert {what for what, _ in entries} == expected
    assert {who for _, who in entries} == {"ada"}
    # Each of its connections forgets it.
    await asyncio.gather(*(logged.label.create(data={"name": f"after-{n}"}) for n in range(8)))
    assert {who for _, who in (await log(logged))[-8:]} == {None}


async def test_results_are_those_without_an_author(logged: Any) -> None:
    plain = await create(logged, "old")
    signed = await create(logged.acting_as(ADA), "new")
    assert [book.title for book in signed.books] == [book.title for book in plain.books]
    assert signed.books[1].labels[0].name == "new"


async def test_writers_at_once_sign_each_their_own(logged: Any) -> None:
    """Beside batches, reads in one statement, callers that leave, and what nobody signs."""

    async def batched(number: int) -> None:
        batch = (logged if number % 2 else logged.acting_as(Author(f"batch-{number}"))).batch_()
        for each in range(2):
            batch.label.create(data={"name": f"batch-{number}-{each}"})
        await batch.commit()

    async def raw(number: int) -> None:
        await logged.acting_as(Author(f"raw-{number}")).execute_raw(
            'INSERT INTO "Label" (name) VALUES ($1)', f"raw-{number}"
        )

    async def nobody(number: int) -> None:
        await logged.label.create(data={"name": f"nobody-{number}"})
        await logged.label.find_unique(where={"name": f"nobody-{number}"})

    async def leaving(number: int) -> None:
        task = asyncio.ensure_future(create(logged.acting_as(Author(f"gone-{number}")), f"gone-{number}"))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def signed(number: int) -> None:
        await create(logged.acting_as(Author(f"person-{number}")), f"person-{number}")

    await asyncio.gather(
        *(kind(number) for number in range(20) for kind in (signed, batched, raw, nobody, leaving))
    )
    rows = await logged.query_raw(
        "SELECT coalesce(author ->> 'author', '') AS who, count(*)::int AS changes FROM author_log GROUP BY 1"
    )
    changes = {row["who"]: row["changes"] for row in rows}
    assert {who: count for who, count in changes.items() if not who.startswith("gone")} == {
        **{f"person-{number}": 5 for number in range(20)},
        **{f"raw-{number}": 1 for number in range(20)},
        **{f"batch-{number}": 2 for number in range(0, 20, 2)},
        "": 20 + 20,
    }
    assert {count for who, count in changes.items() if who.startswith("gone")} <= {5}
