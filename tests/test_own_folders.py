"""Folders of a process's own: they go with it or, when it was killed, when another one makes its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from core.observability.multiprocess import VARIABLE
from core.processes import new_folder

MADE: Final = """
import sys
from pathlib import Path
from core.processes import new_folder
print(new_folder(Path(sys.argv[1]), "own-"), flush=True)
sys.stdin.read()
"""
COUNTED: Final = """
import sys
from core.observability.metrics import DIRECTORY
print(DIRECTORY, flush=True)
sys.stdin.read()
"""
MANY: Final = """
import sys
from pathlib import Path
from core.processes import new_folder
mine = [new_folder(Path(sys.argv[1]), "own-") for _ in range(30)]
assert all((each / "in-use.lock").exists() for each in mine)
"""


@contextmanager
def living(program: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has made a folder, and the folder."""
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, "TMPDIR": str(folder)},
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.mark.parametrize("program", [MADE, COUNTED], ids=["made", "of figures"])
def test_what_killed_processes_leave_is_removed_by_the_next(tmp_path: Path, program: str) -> None:
    with living(program, tmp_path) as (_, lives):
        for number in (signal.SIGKILL, signal.SIGTERM):
            with living(program, tmp_path) as (killed, left):
                (left / "counter_1.db").touch()
                killed.send_signal(number)
                killed.wait()
            assert {lives, left} == set(tmp_path.iterdir())
            with living(program, tmp_path) as (_, next_one):
                assert {lives, next_one} == set(tmp_path.iterdir())


def test_what_is_not_of_a_process_that_is_gone_stays(tmp_path: Path) -> None:
    young, other = tmp_path / "own-young", tmp_path / "others"
    target = tmp_path / "target"
    for each in (young, other, target):
        each.mkdir()
    (tmp_path / "own-file").touch()
    (target / "in-use.lock").touch()
    (tmp_path / "own-link").symlink_to(target)
    before = set(tmp_path.iterdir())
    made = new_folder(tmp_path, "own-")
    assert set(tmp_path.iterdir()) == {*before, made}
    assert (target / "in-use.lock").exists()
    assert made.stat().st_mode & 0o077 == 0


def test_many_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MANY, str(tmp_path)]
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command)) for _ in range(6)]
        deadline = time.monotonic() + 60
        assert [each.wait(deadline - time.monotonic()) for each in processes] == [0] * 6
    last = new_folder(tmp_path, "own-")
    assert list(tmp_path.iterdir()) == [last]
