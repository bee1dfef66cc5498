"""The README names everything that can be set and called, and the tests that prove what it promises."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from core.settings import Settings

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_variable_is_listed(field: str) -> None:
    assert f"`{field.upper()}`" in README.read_text()


def test_every_path_is_listed(app: FastAPI) -> None:
    """Whole, or as its end (`/status/{status}`, `analytics`) in the row of its parent."""
    text = README.read_text()

    def listed(path: str) -> bool:
        parts = path.strip("/").split("/")
        ends = {"/" + "/".join(parts[start:]) for start in range(len(parts))} | {parts[-1]}
        return any(f"`{end}`" in text for end in ends)

    assert [path for path in app.openapi()["paths"] if not listed(path)] == []


def proofs() -> list[str]:
    table = README.read_text().partition("## Guarantees")[2].partition("\n## ")[0]
    proved_by = [line.strip("| ").rpartition("|")[2] for line in table.splitlines() if line.startswith("|")]
    return [path for cell in proved_by for path in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("path", proofs())
def test_every_proof_is_there(path: str) -> None:
    proof = README.parent / path
    files = proof.rglob("test_*.py") if proof.is_dir() else [proof]
    assert any(re.search(r"^(async )?def test_", file.read_text(), re.MULTILINE) for file in files)
