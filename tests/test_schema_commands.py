"""The commands `handover db`, and what other commands say of a schema that is not theirs."""

import pytest

from tests.fixtures.commands import Handover
from tests.fixtures.services import TestServices


async def test_the_schema_is_deployed_and_compared(handover: Handover, services: TestServices) -> None:
    with services.fresh_database("empty", migrated=False) as url:
        own = {"DATABASE_URL": url}
        before = await handover("db", "status", environment=own)
        assert before.code == 1
        assert "missing" in before.out
        assert before.out.splitlines()[-1] == "`handover db deploy` applies what is missing or has failed."
        refused = await handover("jobs", "list", environment=own)
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert refused.err.endswith("`handover db deploy` applies them.\n")
        assert services.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url=url) == "0"
        deployed = await handover("db", "deploy", environment=own)
        assert deployed.code == 0, deployed.err
        assert deployed.out.startswith("applied ")
        assert "up to date" in (await handover("db", "deploy", environment=own)).out
        after = await handover("db", "status", environment=own)
        assert after.code == 0
        assert "missing" not in after.out
        services.execute("UPDATE _prisma_migrations SET migration_name = 'z' || migration_name", url=url)
        newer = await handover("db", "status", environment=own)
        assert (newer.code, newer.out.count("unknown  z")) == (1, deployed.out.count("applied"))


@pytest.mark.slow
async def test_the_migrations_lead_to_the_schema(handover: Handover) -> None:
    outcome = await handover("db", "check")
    assert outcome.code == 0, outcome.out + outcome.err
    nothing = await handover("db", "new", "nothing")
    assert nothing.out.strip() == "The schema holds nothing new."


async def test_a_migration_needs_a_plain_name(handover: Handover) -> None:
    outcome = await handover("db", "new", "Add Owner")
    assert outcome.code == 1
    assert outcome.err.startswith("handover: 'Add Owner' cannot name a migration")
