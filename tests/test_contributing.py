"""The example of CONTRIBUTING.md, followed step by step in a copy of the project, ends green."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import prisma
import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
ENGINE: Final = "prisma/engine"
MYPY: Final = ".mypy_cache"
STAMPS: Final = (".venv/.installed", f"{ENGINE}/node_modules/.installed")
BLOCK: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PLACE: Final = re.compile(r"`([\w.<>-]+/[\w./<>-]+\.\w+|README\.md|\.env\.example)`")
MOST_LINES: Final = 350
SOURCE: Final = (".py", ".prisma", ".sql")
NAMED: Final = (
    "tests/test_readme.py",
    "tests/test_settings.py",
    "tests/test_links.py",
    "tests/changes/test_hosts.py::test_all_that_renews_is_logged",
    "tests/console/test_history.py",
    "tests/database/test_audited_columns.py",
    "tests/contract/test_documents.py",
    "tests/http/test_document.py",
    "features/health/tests/test_health.py",
    "features/stats/tests/test_activity.py",
)
"""What tests beside the feature's own say of every feature."""


def blocks() -> list[tuple[str, str]]:
    """Each block of the example with the place that was named last before it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = text.partition("## A feature in ")[2].partition("\n## ")[0]
    found = []
    for block in BLOCK.finditer(example):
        indent, _, code = block.groups()
        place = PLACE.findall(example[: block.start()])[-1]
        found.append((place, "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))))
    return found


def test_the_example_is_short() -> None:
    """Lines that hold something, of all that is the feature's own, its tests too."""
    own = [code for place, code in blocks() if place.endswith(SOURCE) and "comments" in place]
    lines = [line for code in own for line in code.splitlines() if line.strip()]
    assert len(own) > 10
    assert len(lines) <= MOST_LINES


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy with what is installed here and what mypy knows of it; what is generated for the typed client
    has a place of its own.
    """
    copy = tmp_path / "project"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(sys.prefix)
    (copy / ENGINE / "node_modules").symlink_to(ROOT / ENGINE / "node_modules")
    if (ROOT / MYPY).exists():
        shutil.copytree(ROOT / MYPY, copy / MYPY)
    package = Path(prisma.__file__).parent
    shutil.copytree(package, tmp_path / "site" / "prisma")
    return copy


def run(project: Path, *command: str) -> str:
    """With the copy's own sources and typed client before those that are installed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COVERAGE_", "MAKE", "MFLAGS", "PYTEST_"))
    }
    places = (str(project.parent / "site"), str(project))
    environment = {**kept, "PYTHONPATH": os.pathsep.join(places), "MYPYPATH": places[0]}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def make(project: Path, target: str) -> None:
    """Nothing is installed anew."""
    run(project, "make", "--no-print-directory", *(f"--assume-old={stamp}" for stamp in STAMPS), target)


def follow(project: Path) -> None:
    """Writes new files, and adds to those that are there what is to be added: an import and an entry in
    `FEATURES`, a relation, rows and variables.
    """
    for place, code in blocks():
        path = project / place
        if place == "core/app.py":
            imported, entry = code.splitlines()
            text = path.read_text(encoding="utf-8")
            text = text.replace("from features.audit.", f"{imported}\nfrom features.audit.", 1)
            path.write_text(text.replace("    items,\n", f"    items,\n{entry}\n", 1), encoding="utf-8")
        elif place == "prisma/schema/ideas.prisma":
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("  files           File[]\n", f"{code}  files           File[]\n"))
        elif place.endswith(".sql"):
            make(project, f"{ENGINE}/generated/.made")
            run(project, ".venv/bin/handover", "db", "new", "comments")
            [path] = (project / "prisma" / "migrations").glob("*_comments/migration.sql")
            with path.open("a", encoding="utf-8") as file:
                file.write(code)
        elif path.exists():
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{code}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
    (project / "features" / "comments" / "tests" / "__init__.py").touch()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_ends_green(project: Path) -> None:
    follow(project)
    run(project, ".venv/bin/ruff", "check", "--select", "I", "--fix", "core/app.py")
    make(project, "check")
    tests = run(project, sys.executable, "-m", "pytest", "-q", "features/comments", *NAMED)
    assert re.search(r"\d+ passed", tests.splitlines()[-1])
