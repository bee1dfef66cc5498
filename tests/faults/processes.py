"""The processes of a server, found by their parents."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """`started` tells it from another one that got the same number later."""

    pid: int
    started: str

    def send_signal(self, number: signal.Signals) -> None:
        if not gone(self):
            os.kill(self.pid, number)


def engine_of(server: int) -> Process | None:
    """The engine process of a server with one worker; None while there is none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == server and b"host.mjs" in command and fields[0] != "Z":
            return Process(int(stat.parent.name), fields[19])
    return None


def gone(process: Process) -> bool:
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] == "Z" or fields[19] != process.started
