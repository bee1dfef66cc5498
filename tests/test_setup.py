"""`make` on a machine that is not ready: it says so before it touches anything."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of the project as make looks at before it needs Python."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "prisma" / "schema", folder / "prisma" / "schema")
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "prisma/generator.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "prisma" / "engine").mkdir()
    for name in ("package.json", "package-lock.json", "prisma.config.mjs"):
        shutil.copy(ROOT / "prisma" / "engine" / name, folder / "prisma" / "engine" / name)
    return folder


def script(folder: Path, text: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_too_old_python_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    old = script(tmp_path, "exit 1")
    outcome = make(checkout, "run", f"PYTHON={old}")
    assert outcome.returncode != 0
    assert outcome.stderr.splitlines()[0].startswith("Handover needs Python 3.11 or newer")
    assert "Traceback" not in outcome.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    bare = script(tmp_path, 'if [ "$1" = -m ]; then exit 1; fi')
    outcome = make(checkout, "run", f"PYTHON={bare}")
    assert outcome.returncode != 0
    assert "install its venv package" in outcome.stderr.splitlines()[0]


STAMPS = (".venv/.installed", "prisma/engine/node_modules/.installed", "prisma/engine/generated/.made")


@pytest.mark.parametrize(
    "changed",
    ["requirements.lock", "pyproject.toml", "prisma/engine/package-lock.json", "prisma/schema/items.prisma"],
)
def test_only_what_changed_is_done_again(checkout: Path, changed: str) -> None:
    for name in STAMPS:
        stamp = checkout / name
        stamp.parent.mkdir(parents=True)
        stamp.touch()
    assert make(checkout, "--question", STAMPS[-1]).returncode == 0
    os.utime(checkout / changed, (time.time() + 10, time.time() + 10))
    assert make(checkout, "--question", STAMPS[-1]).returncode == 1


def test_a_check_runs_all_its_tools_and_sums_up_what_failed() -> None:
    outcome = make(ROOT, "check", "CHECKS=python:-c:1/0 python:--version python:-c:2/0")
    assert outcome.returncode != 0
    assert outcome.stdout.startswith("Python 3.")
    summed = outcome.stderr.partition("make check: failed are\n")[2].splitlines()
    assert summed[:2] == ["  python -c 1/0", "  python -c 2/0"]


@pytest.mark.slow
def test_a_server_of_packages_that_does_not_answer_is_asked_twice_and_told(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        outcome = make(checkout, "--old-file=.venv/.installed", "prisma/engine/node_modules/.installed")
        silent.setblocking(False)
        for _ in range(2):
            silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert outcome.returncode != 0
    assert outcome.stderr.startswith("npm cannot reach its server (http://127.0.0.1:")


def test_help_lists_the_targets() -> None:
    outcome = make(ROOT, "help")
    for target in ("run", "test", "test-all", "watch", "check", "format", "bench", "clean"):
        assert f"make {target} " in outcome.stdout


def test_a_run_says_how_many_tests_it_left_out() -> None:
    """As `make test` does, by a worker."""
    chosen = ["tests/bench", "tests/test_readme.py::test_every_variable_is_listed"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", "-m", "not slow", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert "1 passed, 1 deselected" in done.stdout.splitlines()[-1], done.stdout + done.stderr


def test_the_lock_file_pins_and_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if "==" not in line.split(";")[0]] == []
    assert [line for line in pins if "://" in line or line.startswith("-")] == []
