"""The option `--operations` of a test run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.services import TestServices

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = (
    "features/systems/tests/test_writes.py::test_each_write_leaves_one_entry_with_what_changed",
    "features/stats/tests/test_figures.py::test_an_empty_registry_has_every_figure",
)


@pytest.mark.slow
def test_each_route_is_shown_with_its_operations(services: TestServices) -> None:
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--operations", *TESTS]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**kept, "TEST_DATABASE_URL": services.admin_url}
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    shown = done.stdout.partition(" operations of routes ")[2].splitlines()
    assert "POST /api/v1/systems: 1 requests; typed: System.create 1; raw: 0" in shown
    assert "PUT /api/v1/systems/{id}: 1 requests; typed: System.update 1; raw: 0" in shown
    counted = "File.groupBy 1, IdeaTotal.groupBy 1, System.groupBy 1; raw: 3"
    assert f"GET /api/v1/stats/dashboard: 1 requests; typed: {counted}" in shown
