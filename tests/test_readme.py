"""The README names everything that can be set and called, and the tests that prove what it promises."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.core import TyperGroup
from typer.main import get_command

from core import cli
from core.settings import all_settings

README = Path(__file__).resolve().parents[1] / "README.md"


def test_every_variable_is_listed() -> None:
    text = README.read_text()
    missing = [field.upper() for field in all_settings().model_fields if f"`{field.upper()}`" not in text]
    assert not missing, f"README.md: add a row to the table under Configuration for each of {missing}"


def test_every_path_is_listed(app: FastAPI) -> None:
    """Whole, or as its end (`/status/{status}`, `analytics`) in the row of its parent."""
    text = README.read_text()

    def listed(path: str) -> bool:
        parts = path.strip("/").split("/")
        ends = {"/" + "/".join(parts[start:]) for start in range(len(parts))} | {parts[-1]}
        return any(f"`{end}`" in text for end in ends)

    missing = [path for path in app.openapi()["paths"] if not listed(path)]
    assert not missing, f"README.md: add a row to the table under The API for {missing}"


def commands_of(group: TyperGroup, *above: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        place = (*above, name)
        yield from commands_of(command, *place) if isinstance(command, TyperGroup) else (place,)


def test_every_command_is_listed() -> None:
    """Whole, or by its last word (`list`) in a row of its group."""
    text = README.read_text()

    def listed(*place: str) -> bool:
        whole = rf"`(handover )?{' '.join(place)}\b"
        return bool(re.search(rf"{whole}|^\| `handover {place[0]} .*`{place[-1]}\b", text, re.MULTILINE))

    everything = get_command(cli.app)
    assert isinstance(everything, TyperGroup)
    found = list(commands_of(everything))
    assert ("keys", "list") in found
    missing = [f"handover {' '.join(each)}" for each in found if not listed(*each)]
    assert not missing, f"README.md: add a row to the table under Using it for each of {missing}"


def guarantees() -> list[list[str]]:
    table = README.read_text().partition("## Guarantees")[2].partition("\n## ")[0].partition("\n\n| fault")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return rows[2:]


@pytest.mark.parametrize(("promise", "proved_by", "run"), guarantees())
def test_every_proof_is_there_and_run_by_what_is_said(promise: str, proved_by: str, run: str) -> None:
    texts = []
    for path in re.findall(r"`([^`]+)`", proved_by):
        proof = README.parent / path
        files = [file.read_text() for file in (proof.rglob("test_*.py") if proof.is_dir() else [proof])]
        assert any(re.search(r"^(async )?def test_", text, re.MULTILINE) for text in files), path
        texts += files
    slow = [re.search(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", text, re.MULTILINE) for text in texts]
    some = any("pytest.mark.slow" in text for text in texts)
    assert run == ("all" if all(slow) else "both" if some else "test")
