"""A registry ten times the size takes hardly more memory."""

import asyncio
import re
from pathlib import Path

import pytest

from features.imports.tests.registry.factories import export, ideas, system
from tests.fixtures.commands import RunningCommand, StartCommand

pytestmark = pytest.mark.slow

MANY = 20_000
MOST_MORE_BYTES = 60 << 20


def resident_bytes(pid: int) -> int:
    """The largest that a process has been; 0 when it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) << 10 if found else 0


async def peak_bytes(running: RunningCommand) -> int:
    """The largest resident size that the command had; waits for its end."""
    ending = asyncio.create_task(running.finish())
    peak = 0
    while not ending.done():
        peak = max(peak, resident_bytes(running.process.pid))
        await asyncio.wait({ending}, timeout=0.05)
    outcome = ending.result()
    assert outcome.code == 0, outcome.err
    return peak


@pytest.mark.usefixtures("handover")
async def test_twenty_thousand_ideas_take_little_memory(start_command: StartCommand, tmp_path: Path) -> None:
    small = export(tmp_path / "small", systems=[system()], ideas=ideas(MANY // 10, seed=2))
    large = export(tmp_path / "large", systems=[system()], ideas=ideas(MANY))
    little = await peak_bytes(await start_command("import", "questdb", str(small)))
    much = await peak_bytes(await start_command("import", "questdb", str(large)))
    assert little > 0
    assert much - little < MOST_MORE_BYTES, f"{little >> 20} MiB became {much >> 20} MiB"
