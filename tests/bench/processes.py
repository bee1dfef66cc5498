"""What processes use, read from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
GONE: Final = (FileNotFoundError, ProcessLookupError)


def family(pid: int) -> list[int]:
    """The process and everything below it."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(*GONE):
                children[int(_fields(folder)[1])].append(int(folder.name))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Of user and system, since each process began."""
    seconds = {}
    for pid in pids:
        with suppress(*GONE):
            fields = _fields(Path(f"/proc/{pid}"))
            seconds[pid] = (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def cpu_used(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds between two looks; what a process used that has ended since is not known."""
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items())


def resident(pids: Iterable[int]) -> int:
    """Bytes; what processes share counts for each of them."""
    pages = 0
    for pid in pids:
        with suppress(*GONE):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE


def proportional(pids: Iterable[int]) -> int:
    """Bytes; what processes share, as those of PostgreSQL do, counts once. Slower than `resident`."""
    total = 0
    for pid in pids:
        with suppress(*GONE):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
    return total


def command_of(pid: int) -> list[str]:
    with suppress(*GONE):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
    return []


def _fields(folder: Path) -> list[str]:
    """Of `stat`, from the state on: the name before it may hold anything."""
    return (folder / "stat").read_text(errors="replace").rpartition(") ")[2].split()
