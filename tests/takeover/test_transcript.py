"""Between the output shown and the output printed only what is measured or made anew may differ."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.takeover.transcript import Command, Event, Run, parsed, rewritten

OLD, NEW, OTHER, MADE = (f"0000000{number}-6e08-4825-a686-638a5d6b0e4a" for number in range(4))
GUIDE = """# Title

```
$ first \\
>   --more
out
$ second
```

<!-- meanwhile: it rains -->

```nginx
$ not_a_command
```
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, {"/srv/handover": str(tmp_path), "localhost:8000": "localhost:4711"}, {OLD: OLD})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_guide_is_read_and_written() -> None:
    first, second, event = parsed(GUIDE)
    assert isinstance(first, Command)
    assert isinstance(second, Command)
    assert (first.text, first.shown) == ("first \\\n  --more", "out\n")
    assert (second.text, second.shown) == ("second", "")
    assert event == Event("it rains")
    assert rewritten(GUIDE, {first: "out\n", second: ""}) == GUIDE
    assert rewritten(GUIDE, {first: "", second: "a\nb\n"}) == GUIDE.replace(
        "out\n$ second\n", "$ second\na\nb\n"
    )


def test_places_are_told_in_the_guides_words(run: Run) -> None:
    assert run.here("curl localhost:8000/health") == "curl localhost:4711/health"
    assert run.as_shown(f"database  {run.folder}/.data\n", "") == "database  /srv/handover/.data\n"


def test_a_new_id_stands_for_one_of_the_guide_always_the_same(run: Run) -> None:
    assert run.as_shown(f"job  {MADE}\n", f"job  {NEW}\n") == f"job  {NEW}\n"
    assert run.as_shown(f"undo of {MADE}\n", f"undo of {NEW}\n") == f"undo of {NEW}\n"
    assert run.here(f"handover import undo {NEW}") == f"handover import undo {MADE}"
    for printed, shown in ((MADE, OTHER), (OTHER, NEW), (OLD, OTHER), (OTHER, OLD)):
        assert run.as_shown(f"{printed}\n", f"{shown}\n") != f"{shown}\n"
    assert run.as_shown(f"job  {MADE}\n", "") == f"job  {NEW}\n"


def test_a_time_of_this_walk_may_stand_for_any(run: Run) -> None:
    shown = "2025-01-02T03:04:05.678Z\n"
    assert run.as_shown(f"{now()}\n", shown) == shown
    assert run.as_shown("2025-01-02T03:04:05.679Z\n", shown) == "2025-01-02T03:04:05.679Z\n"


def test_a_digest_may_be_that_of_a_file_that_is_there(run: Run) -> None:
    shown, content = "0" * 64, b"content"
    printed = hashlib.sha256(content).hexdigest()
    assert run.as_shown(printed, shown) == f"{printed}\n"
    (run.folder / "library.json").write_bytes(content)
    assert run.as_shown(printed, shown) == f"{shown}\n"


def test_measured_figures_may_differ_and_counted_ones_not(run: Run) -> None:
    shown = "rows/s   preflight 61, load 9\nseconds  preflight 0.066\nrecords  4\n"
    printed = "rows/s   preflight 1,048, load 40\nseconds  preflight 12.5\nrecords  4\n"
    assert run.as_shown(printed, shown) == shown
    assert run.as_shown(printed.replace("4\n", "5\n"), shown) == shown.replace("records  4", "records  5")
    fewer = "rows/s   preflight 61\n"
    assert run.as_shown(fewer, shown) == fewer


def test_lines_too_many_and_too_few_are_seen(run: Run) -> None:
    assert run.as_shown("a\n", "a\nb\n") == "a\n"
    assert run.as_shown("a\nb\n", "a\n") == "a\nb\n"
    assert run.as_shown("verify ━━━━ 3 of 3 rows 100%\na\n", "a\n") == "a\n"
