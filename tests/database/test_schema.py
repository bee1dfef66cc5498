"""Deploying, comparing and writing schema migrations with Prisma's schema engine."""

import asyncio
import re
from pathlib import Path

import pytest
import structlog

from core.database import schema
from core.database.schema import SchemaError
from tests.fixtures.services import TestServices


async def test_the_migrations_equal_the_schema(services: TestServices) -> None:
    with services.fresh_database("drift", migrated=False) as url:
        assert await schema.difference(url) == ""
        assert (
            services.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'prisma_migrate_shadow%'")
            == "0"
        )


@pytest.mark.slow
async def test_several_processes_may_deploy_at_once_and_again(services: TestServices) -> None:
    names = sorted(folder.name for folder in schema.MIGRATIONS.iterdir() if folder.is_dir())
    with services.fresh_database("deploy", migrated=False) as url:
        before = await schema.status(url)
        assert (list(before.missing), before.up_to_date) == (names, False)
        applied = await asyncio.gather(*(schema.deploy(url) for _ in range(3)))
        assert sorted(applied) == [(), (), tuple(names)]
        after = await schema.status(url)
        assert (list(after.applied), after.up_to_date) == (names, True)
        assert services.execute(
            "SELECT count(*) FROM _prisma_migrations WHERE finished_at IS NOT NULL", url=url
        ) == str(len(names))


async def test_a_changed_schema_is_noticed_and_its_migration_written(
    services: TestServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    with services.fresh_database("new", migrated=False) as url:
        assert 'CREATE TABLE "items"' in await schema.difference(url)
        written = await schema.new(url, "first_tables")
        assert written is not None
        assert written.parent.name.endswith("_first_tables")
        assert 'CREATE TABLE "items"' in written.read_text()
        assert await schema.difference(url) == ""
        assert await schema.new(url, "nothing_new") is None
        assert await schema.deploy(url) == (written.parent.name,)
        written.write_text(written.read_text() + "\n-- edited later\n")
        assert (await schema.status(url)).edited == (written.parent.name,)


async def test_a_migration_that_fails_says_so_and_stops_the_next_deploy(
    services: TestServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    broken = migrations / "20260101000000_broken"
    broken.mkdir(parents=True)
    (migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (broken / "migration.sql").write_text("CREATE TABLE fine (id int); CREATE TABLE broken (id nonsense);")
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    with services.fresh_database("broken", migrated=False) as url:
        with pytest.raises(SchemaError, match="nonsense"):
            await schema.deploy(url)
        assert (await schema.status(url)).failed == (broken.name,)
        with pytest.raises(SchemaError, match=r"^Migration \w+ failed: .*nonsense.*Nothing of it is applied"):
            await schema.deploy(url)
        assert services.execute("SELECT to_regclass('fine') IS NULL", url=url) == "t"
        (broken / "migration.sql").write_text("CREATE TABLE fine (id int);")
        assert await schema.deploy(url) == (broken.name,)
        assert (await schema.status(url)).up_to_date


async def test_a_newer_schema_is_told_and_works(services: TestServices) -> None:
    with services.fresh_database("newer") as url:
        services.execute(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at) "
            "VALUES ('1', 'x', '20991231000000_later', now(), now())",
            url=url,
        )
        with structlog.testing.capture_logs() as logs:
            assert await schema.deploy(url) == ()
        assert [(entry["event"], entry["migrations"]) for entry in logs] == [
            ("schema.newer_than_this_version", "20991231000000_later")
        ]
        await schema.check(url)


async def test_tables_of_another_role_are_told(services: TestServices) -> None:
    with services.fresh_database("owned") as url:
        services.execute("CREATE ROLE stranger LOGIN", url=url)
        try:
            with pytest.raises(SchemaError, match="must belong to the role"):
                await schema.deploy(re.sub("//[^@/]+@", "//stranger@", url))
        finally:
            services.execute("DROP ROLE stranger", url=url)


async def test_functions_with_semicolons_are_deployed_whole(
    services: TestServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    folder = migrations / "20260101000000_function"
    folder.mkdir(parents=True)
    (migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (folder / "migration.sql").write_text(
        "CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END; $$;"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    with services.fresh_database("function", migrated=False) as url:
        await schema.deploy(url)
        assert services.execute("SELECT two()", url=url) == "2"


@pytest.mark.parametrize("name", ["", "Bad Name", "../escape", "1st", "x" * 61])
async def test_a_name_that_cannot_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="cannot name a migration"):
        await schema.new("postgresql://nobody@localhost/nothing", name)


async def test_an_unreachable_database_is_told_apart(services: TestServices) -> None:
    with pytest.raises(SchemaError, match=r"^The database cannot be reached \(.*\); start it"):
        await schema.deploy("postgresql://handover@127.0.0.1:1/handover")
    with pytest.raises(SchemaError, match=r"^The database refused: .* does not exist"):
        await schema.deploy(services.database_url.replace(services.template, "no_such_database"))
