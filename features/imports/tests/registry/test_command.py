"""`handover import questdb` and `handover import postgres`, as an operator runs them."""

import re
from pathlib import Path

import pytest

from features.imports.tests.registry.factories import export, file, idea, ideas, system
from tests.fixtures.commands import Handover


async def test_it_shows_what_became_of_each_table(handover: Handover, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("# Guide")
    source = export(
        tmp_path / "old",
        systems=[system(id="s", status="error"), system(id="s", status="unknown", updated_at=None)],
        ideas=[*ideas(20), idea(title="")],
        files=[file(file_path="guide.md")],
    )
    outcome = await handover("import", "questdb", str(source), "--files", str(tmp_path))
    assert outcome.code == 0, outcome.err
    assert "Import of old succeeded" in outcome.out
    figures = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines() if line.strip()}
    assert figures["documentation_systems"] == ["2", "1", "0", "1", "0", "0", "0", "1"]
    assert figures["documentation_ideas"] == ["21", "0", "1", "20", "0", "0", "0", "20"]
    assert figures["documentation_files"] == ["1", "0", "0", "1", "0", "0", "0", "1"]
    assert figures["documentation_systems.status"] == ["translated", "1"]


async def test_a_dry_run_names_the_first_rejects(handover: Handover, tmp_path: Path) -> None:
    source = export(tmp_path / "old", ideas=[idea(title=""), idea()])
    outcome = await handover("import", "questdb", str(source), "--dry-run")
    assert outcome.code == 0
    assert "documentation_ideas[0]: title: must not be empty" in outcome.out
    assert "documentation_systems is not in the source" in outcome.out
    assert "imported" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("questdb", "nowhere"), r"handover: \S+/nowhere does not exist"),
        (("questdb", "."), r"handover: \S+ has none of documentation_systems\.csv, .*"),
        (
            ("questdb", "http://ada:hunter2@localhost:9000"),
            "handover: A running QuestDB is named by postgresql://HOST:8812, PostgreSQL by its "
            "postgresql:// URL, CSV files by their folder",
        ),
        (
            ("postgres", "postgresql://ada:hunter2@nowhere.invalid/old"),
            "handover: nowhere.invalid/old cannot be reached: its host name is not known",
        ),
        (("postgres", "."), r"handover: \S+ has none of documentation_systems\.csv, .*"),
        (
            ("postgres", "postgresql://ada:hunter2@127.0.0.1:1/old"),
            "handover: 127.0.0.1:1/old cannot be reached: Connection refused",
        ),
    ],
)
async def test_what_is_wrong_is_one_sentence(
    arguments: tuple[str, str], sentence: str, handover: Handover
) -> None:
    outcome = await handover("import", *arguments)
    assert outcome.code == 1
    assert re.fullmatch(sentence, outcome.err.splitlines()[-1]), outcome.err
    assert "hunter2" not in outcome.err + outcome.out
