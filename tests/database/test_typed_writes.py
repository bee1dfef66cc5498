"""Writing through the typed client, against PostgreSQL."""

from typing import Any

import pytest
from prisma import errors

from core.database.errors import ConstraintViolation, NotSupported


async def test_create_many_and_skip_duplicates(showcase: Any) -> None:
    labels = [{"name": "red"}, {"name": "blue"}]
    assert await showcase.label.create_many(data=labels) == 2
    with pytest.raises(errors.UniqueViolationError):
        await showcase.label.create_many(data=[{"name": "green"}, {"name": "red"}])
    assert await showcase.label.count() == 2
    assert await showcase.label.create_many(data=[*labels, {"name": "green"}], skip_duplicates=True) == 1


async def test_update_update_many_and_arithmetic(library: Any) -> None:
    winds = await library.book.find_first(where={"title": "Winds"})
    changed = await library.book.update(
        where={"id": winds.id}, data={"pages": {"increment": 5}, "title": "Gales"}, include={"author": True}
    )
    assert (changed.pages, changed.title, changed.author.email) == (55, "Gales", "bo@example.org")
    changed = await library.book.update(
        where={"id": winds.id}, data={"pages": {"multiply": 2}, "rating": None}
    )
    assert (changed.pages, changed.rating) == (110, None)
    assert await library.book.update(where={"id": 999}, data={"pages": 1}) is None
    assert await library.book.update_many(where={"pages": {"lt": 100}}, data={"published": True}) == 2
    assert {book.title for book in await library.book.find_many(where={"published": True})} == {
        "Waves",
        "Anonymous",
    }
    assert await library.book.update_many(where={"pages": 12345}, data={"published": True}) == 0


async def test_upsert_creates_then_updates(showcase: Any) -> None:
    data = {"create": {"name": "one", "email": "x@example.org"}, "update": {"name": "two"}}
    created = await showcase.author.upsert(where={"email": "x@example.org"}, data=data)
    updated = await showcase.author.upsert(
        where={"email": "x@example.org"}, data=data, include={"books": True}
    )
    assert (created.name, updated.name, created.id == updated.id) == ("one", "two", True)
    assert updated.books == []


async def test_delete_delete_many_and_what_happens_to_relations(library: Any) -> None:
    ada = await library.author.delete(
        where={"email": "ada@example.org"}, include={"books": True, "profile": True}
    )
    assert len(ada.books) == 3
    assert await library.profile.count() == 1
    assert await library.book.count(where={"authorId": None}) == 4
    assert await library.author.delete(where={"email": "ada@example.org"}) is None
    assert await library.book.delete_many(where={"authorId": None}) == 4
    assert await library.book.delete_many() == 2


async def test_nested_create_connect_disconnect_set_and_delete(library: Any) -> None:
    book = await library.book.create(
        data={
            "title": "Labelled",
            "labels": {
                "create": [{"name": "red"}],
                "connect_or_create": [{"where": {"name": "blue"}, "create": {"name": "blue"}}],
            },
            "author": {"connect": {"email": "bo@example.org"}},
        },
        include={"labels": {"order_by": {"name": "asc"}}, "author": True},
    )
    assert [label.name for label in book.labels] == ["blue", "red"]
    assert book.author.name == "bo"

    async def relabel(change: dict[str, Any]) -> list[str]:
        changed = await library.book.update(
            where={"id": book.id}, data={"labels": change}, include={"labels": True}
        )
        return sorted(label.name for label in changed.labels)

    assert await relabel({"disconnect": [{"name": "red"}]}) == ["blue"]
    assert await relabel({"connect": [{"name": "red"}]}) == ["blue", "red"]
    assert await relabel({"set": [{"name": "red"}]}) == ["red"]
    assert await library.label.count() == 2
    alone = await library.book.update(
        where={"id": book.id}, data={"author": {"disconnect": True}}, include={"author": True}
    )
    assert alone.author is None
    author = await library.author.update(
        where={"email": "bo@example.org"},
        data={
            "books": {
                "update": [
                    {
                        "where": {"id": (await library.book.find_first(where={"title": "Winds"})).id},
                        "data": {"title": "Storms"},
                    }
                ]
            }
        },
        include={"books": True},
    )
    assert {item.title for item in author.books} == {"Storms", "Waves"}
    await library.author.update(where={"email": "bo@example.org"}, data={"profile": {"delete": True}})
    assert await library.profile.count() == 1


async def test_self_relations(showcase: Any) -> None:
    mentor = await showcase.author.create(
        data={"email": "m@example.org", "pupils": {"create": [{"email": "p@example.org"}]}},
        include={"pupils": True},
    )
    pupil = await showcase.author.find_unique(where={"email": "p@example.org"}, include={"mentor": True})
    assert pupil.mentor.id == mentor.id
    assert mentor.pupils[0].id == pupil.id


async def test_constraints_arrive_as_the_errors_that_users_of_the_client_expect(showcase: Any) -> None:
    await showcase.author.create(data={"email": "a@example.org"})
    with pytest.raises(errors.RecordNotFoundError):
        await showcase.book.create(
            data={"title": "x", "author": {"connect": {"email": "nobody@example.org"}}}
        )
    with pytest.raises(errors.MissingRequiredValueError, match="title"):
        await showcase.book.create(data={})
    with pytest.raises(errors.MissingRequiredValueError, match="author"):
        await showcase.book.create(data={"title": "x", "author": None})
    nested = {"create": [{"title": "x", "labels": None}]}
    with pytest.raises(errors.MissingRequiredValueError, match="labels"):
        await showcase.author.create(data={"email": "b@example.org", "books": nested})
    with pytest.raises(errors.FieldNotFoundError, match="colour"):
        await showcase.book.create(data={"title": "x", "colour": None})
    with pytest.raises(errors.InputError):
        await showcase.book.create(data={"title": "x", "pages": "many"})
    with pytest.raises(ConstraintViolation):
        await showcase.execute_raw('INSERT INTO "Book" (title, pages) VALUES (NULL, 1)')


async def test_a_violated_key_is_named_whoever_wrote_the_statement(showcase: Any) -> None:
    await showcase.author.create(data={"email": "a@example.org", "name": "a"})
    await showcase.place.create(data={"shelf": 1, "slot": 2})
    await showcase.execute_raw(
        'CREATE UNIQUE INDEX lower_name ON "Author" (lower(name), "mentorId") NULLS NOT DISTINCT'
    )
    insert = 'INSERT INTO "Author" (id, email, name) VALUES ($1, $2, $3)'
    place = {"shelf": 1, "slot": 2}

    async def in_a_batch() -> None:
        async with showcase.batch_() as batch:
            batch.place.create(data=place)

    for call, target in [
        (showcase.author.create(data={"email": "a@example.org"}), ["email"]),
        (showcase.author.create_many(data=[{"email": "a@example.org"}]), ["email"]),
        (showcase.execute_raw(insert, "x", "a@example.org", None), ["email"]),
        (showcase.query_raw(f"{insert} RETURNING id", "x", "a@example.org", None), ["email"]),
        (showcase.query_text(f"{insert} RETURNING id", "x", "a@example.org", None), ["email"]),
        (showcase.place.create(data=place), ["shelf", "slot"]),
        (
            showcase.place.upsert(
                where={"shelf_slot": {"shelf": 5, "slot": 5}}, data={"create": place, "update": {}}
            ),
            ["shelf", "slot"],
        ),
        (in_a_batch(), ["shelf", "slot"]),
        (showcase.author.create(data={"email": "b@example.org", "name": "A"}), ["lower(name)", "mentorId"]),
    ]:
        with pytest.raises(
            errors.UniqueViolationError, match=r"Unique constraint failed on the fields: \(`"
        ) as unique:
            await call
        assert (unique.value.code, unique.value.meta["target"]) == ("P2002", target)
    await showcase.execute_raw("DROP INDEX lower_name")
    with pytest.raises(errors.UniqueViolationError, match="by hand"):
        await showcase.execute_raw("DO $$ BEGIN RAISE unique_violation USING MESSAGE = 'by hand'; END $$")


async def test_a_violated_foreign_key_is_named_whoever_wrote_the_statement(showcase: Any) -> None:
    await showcase.execute_raw('CREATE TABLE visit (author text REFERENCES "Author" ON DELETE RESTRICT)')
    author = await showcase.author.create(data={"email": "a@example.org"})
    await showcase.execute_raw("INSERT INTO visit VALUES ($1)", author.id)
    book = "INSERT INTO \"Book\" (title, \"authorId\") VALUES ('x', 'nobody')"
    for call, key in [
        (showcase.book.create(data={"title": "x", "authorId": "nobody"}), "Book_authorId_fkey"),
        (showcase.book.create_many(data=[{"title": "x", "authorId": "nobody"}]), "Book_authorId_fkey"),
        (showcase.execute_raw(book), "Book_authorId_fkey"),
        (showcase.author.delete(where={"id": author.id}), "visit_author_fkey"),
        (showcase.execute_raw('DELETE FROM "Author"'), "visit_author_fkey"),
    ]:
        with pytest.raises(errors.ForeignKeyViolationError, match=f"failed on the field: `{key} ") as foreign:
            await call
        assert (foreign.value.code, foreign.value.meta["field_name"]) == ("P2003", f"{key} (index)")
    await showcase.execute_raw("DROP TABLE visit")


async def test_metrics_name_what_to_use_instead(showcase: Any) -> None:
    with pytest.raises(NotSupported, match="/metrics"):
        await showcase.get_metrics()
