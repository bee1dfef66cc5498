"""What commands write fits a terminal of 100 columns, and says which version it is of."""

import json
import tomllib
from pathlib import Path

from tests.fixtures.commands import Handover
from tests.fixtures.services import TestServices

ROOT = Path(__file__).resolve().parents[1]


async def test_the_version_is_that_of_the_package(handover: Handover) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert (await handover("--version")).out == f"handover {version}\n"
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


async def test_the_openapi_document_needs_no_server(handover: Handover, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    alone = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "DATA_DIR": str(folder)}
    outcome = await handover("openapi", environment=alone)
    assert (outcome.code, outcome.err) == (0, "")
    assert "/api/items" in json.loads(outcome.out)["paths"]
    assert not folder.exists()


async def test_jobs_are_listed_within_100_columns(handover: Handover, services: TestServices) -> None:
    services.execute(
        "INSERT INTO jobs (id, kind, state, phase, arguments, done, total, rejected, actor, created_at) "
        "SELECT gen_random_uuid(), 'systems.check_all', 'running', 'preflight', '{}', 9999999, 10000000, 1, "
        "'a', now()",
        url=services.database_url,
    )
    lines = (await handover("jobs", "list")).out.splitlines()
    assert "9,999,999 99%" in lines[1]
    assert max(map(len, lines)) <= 100


async def test_help_is_wrapped_once(handover: Handover) -> None:
    lines = (await handover("import", "lowdb", "--help")).out.splitlines()
    paragraph = next(place for place, line in enumerate(lines) if "Every record is checked" in line)
    assert len(lines[paragraph].strip()) > 80
    assert len(lines[paragraph + 1].strip()) > 40
