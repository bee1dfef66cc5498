"""With 20,000 rows every page is found through an index: the statements that really ran, explained."""

from collections.abc import Sequence
from typing import Any

from core.database.client import Database
from features.files import queries
from features.files.schemas import Audience, FileFilter, FileQuery
from features.files.tests.factories import add_idea, add_system, seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index

ROWS = 20_000
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


class Recorder:
    """Stands where the database does, and remembers what it is asked."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.asked: list[tuple[str, Sequence[Any]]] = []

    async def query_raw(self, statement: str, *arguments: Any, **options: Any) -> Any:
        self.asked.append((statement, arguments))
        return await self.db.query_raw(statement, *arguments, **options)


def explainable(statement: str, arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """asyncpg is strict about types where a text was sent for a timestamp: `($1::text)::timestamptz`."""
    for number in range(len(arguments), 0, -1):
        statement = statement.replace(f"${number}::timestamptz", f"(${number}::text)::timestamptz")
    return statement, list(arguments)


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await add_idea(connection, "idea")
    await add_system(connection, "system")
    await seed(connection, ROWS)
    await connection.execute(
        "UPDATE files SET idea_id = 'idea', system_id = 'system' WHERE uploaded_by = 'ada'; ANALYZE files"
    )
    for values, index in CASES:
        for direction in ("DESC", "ASC"):
            query = FileQuery.model_validate({**values, "order_direction": direction})
            after = None
            for _ in range(2):
                recorder = Recorder(db)
                files = await queries.find_files(
                    recorder,  # type: ignore[arg-type]
                    query,
                    Audience(),
                    query.order_by,
                    query.order_direction,
                    after=after,
                    take=10,
                )
                assert files
                [(statement, arguments)] = recorder.asked
                used = await assert_found_by_index(connection, *explainable(statement, arguments))
                # A later page begins in the middle of a value; another index may be the quicker one for it.
                assert index in used if after else used == [index], (values, direction, after)
                after = queries.sort_key(files[-1], query.order_by)


async def test_a_search_uses_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    recorder = Recorder(db)
    found = await queries.search_files(recorder, "word999", Audience(), 50)  # type: ignore[arg-type]
    assert len(found) == 20
    [(statement, arguments)] = recorder.asked
    assert "files_words_idx" in await assert_found_by_index(connection, statement, arguments)


async def test_an_audience_sees_the_public_files_and_its_own(db: Database, connection: Connection) -> None:
    """What the lists show once `audience_of` decides."""
    await seed(connection, 500)
    everybody = await queries.find_files(db, FileFilter(), Audience())
    ada = Audience("ada")
    files = await queries.find_files(db, FileFilter(), ada)
    assert len(everybody) == 500
    assert [file.id for file in files] == [file.id for file in everybody if ada.may_see(file)]
    assert {file.uploaded_by for file in files if not file.is_public} == {"ada"}
    assert 0 < len(files) == await queries.count_files(db, FileFilter(), ada)
    assert (await queries.statistics(db, ada)).total == len(files)
    assert len(await queries.search_files(db, "report", ada, 100)) == len(files)
