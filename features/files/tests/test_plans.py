"""With 20,000 rows every page is found through an index: the statements that really ran, explained."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from prisma.types import FileWhereInput

from core.database.client import Database
from core.database.statements import best_statement
from core.deps import ActorName
from features.files import service
from features.files.queries import lists
from features.files.schemas import Audience, FileFilter, FileQuery
from features.files.sql import match
from features.files.tests.factories import add_idea, add_system, seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 20_000
NOBODY = ActorName("nobody", "request-1", None)
CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "files_created_at_id_idx"),
    ({"order_by": "size"}, "files_size_bytes_id_idx"),
    ({"order_by": "filename"}, "files_filename_id_idx"),
    ({"order_by": "mime_type"}, "files_mime_type_created_at_id_idx"),
    ({"mime_type": "application/pdf"}, "files_mime_type_created_at_id_idx"),
    ({"uploaded_by": "ada"}, "files_uploaded_by_created_at_id_idx"),
    ({"is_public": True}, "files_is_public_created_at_id_idx"),
    ({"idea_id": "idea"}, "files_idea_id_created_at_id_idx"),
    ({"system_id": "system"}, "files_system_id_created_at_id_idx"),
    ({"search": "word999"}, "files_words_idx"),
    ({"created_from": "2025-01-01T01:00:00Z"}, "files_created_at_id_idx"),
]


def bounds(where: Mapping[str, Any]) -> Iterator[object]:
    """What the conditions compare with, in their order."""
    for name, value in where.items():
        if name in ("AND", "OR"):
            for each in value:
                yield from bounds(each)
        else:
            yield from value.values() if isinstance(value, dict) else [value]


async def used_by(db: Database, connection: Connection, query: FileQuery, where: FileWhereInput) -> list[str]:
    if query.search:
        statement, arguments = match.page_statement(query.search, where, query.order, offset=0, take=10)
        return await assert_found_by_index(
            connection, statement.replace("::timestamptz", "::text::timestamptz"), arguments
        )
    read = partial(lists.find_files, where=where, order=query.order, take=10)
    statement = await statement_of(db, connection, "files", read)
    return await assert_found_by_index(connection, statement, [*bounds(where), 10, 0])


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await add_idea(connection, "idea")
    await add_system(connection, "system")
    await seed(connection, ROWS)
    await connection.execute(
        "UPDATE files SET idea_id = 'idea', system_id = 'system' WHERE uploaded_by = 'ada'; ANALYZE files"
    )
    for values, index in CASES:
        for direction in ("DESC", "ASC"):
            query = FileQuery.model_validate({**values, "order_direction": direction, "limit": 9})
            where = lists.where_of(query, Audience())
            assert await used_by(db, connection, query, where) == [index], (values, direction)
            page = await service.list_files(db, NOBODY, query)
            place = lists.place_of(page.data[-1], query.order)
            for each in lists.after(where, query.order, place):
                # It begins in the middle of a value; another index may be the quicker one for it.
                if query.search or await lists.find_files(db, each, query.order, take=1):
                    assert await used_by(db, connection, query, each), (values, direction, each)


async def test_a_search_uses_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    assert len(await service.search_files(db, "word999", Audience(), 50)) == 20
    statement, arguments = best_statement("files", match.WORDS, "word999", {}, limit=50, ranked=1000)
    assert "files_words_idx" in await assert_found_by_index(connection, statement, arguments)


async def test_an_audience_sees_the_public_files_and_its_own(db: Database, connection: Connection) -> None:
    """What the lists show once `audience_of` decides."""
    await seed(connection, 500)
    ada, everybody = Audience("ada"), Audience()
    every = await lists.find_files(db, lists.where_of(FileFilter(), everybody))
    where = lists.where_of(FileFilter(), ada)
    files = await lists.find_files(db, where)
    assert len(every) == 500
    assert [file.id for file in files] == [file.id for file in every if ada.may_see(file)]
    assert {file.uploaded_by for file in files if not file.is_public} == {"ada"}
    assert 0 < len(files) == await lists.count_files(db, where)
    assert (await lists.statistics(db, ada)).total == len(files)
    assert len(await service.search_files(db, "report", ada, 100)) == len(files)
