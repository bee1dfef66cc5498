"""Mixed load for minutes: what memory does meanwhile."""

import statistics
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench import processes
from tests.bench.data import drop_created
from tests.bench.endpoints import Endpoints
from tests.bench.load import Request, generator
from tests.bench.rounds import CONNECTIONS
from tests.bench.run import CACHED, place
from tests.bench.servers import Server, service_pids

ROWS: Final = 20_000
SAMPLE_S: Final = 30
WARM_UP: Final = 0.3
"""Caches and PostgreSQL's shared buffers fill during this share of the time: the slope leaves it out."""
SHARES: Final = {"E1": 100, "E2": 600, "E3": 200, "E4": 50, "E5": 50}
"""Of 1,000 requests."""
PARTS: Final = ("app", "engine", "Redis", "PostgreSQL")
MIB: Final = 1024 * 1024


async def soak(folder: Path, console: Console, minutes: float) -> None:
    async with place(folder, ROWS) as here:
        server = await here.start.handover(CACHED)
        load = generator(folder)
        console.print(
            f"Mixed load from {load.name} for {minutes:g} minutes, {CONNECTIONS} connections; of 1,000 "
            f"requests {', '.join(f'{count} {code}' for code, count in SHARES.items())}. Memory in MiB, what "
            "processes share counted once."
        )
        requests = mixture(here.measured)
        samples: list[tuple[float, list[float]]] = []
        began = time.monotonic()
        _row(console, "minute", "requests/s", "p50 ms", "p99 ms", "failed", *PARTS)
        while (elapsed := time.monotonic() - began) < 60 * minutes:
            seconds = max(1.0, min(SAMPLE_S, 60 * minutes - elapsed))
            outcome = await load.run(server.port, requests, seconds=seconds, connections=CONNECTIONS)
            minute = (time.monotonic() - began) / 60
            memory = _memory(server, here.data_dir)
            samples.append((minute, memory))
            _row(
                *(console, f"{minute:.1f}", f"{outcome.rate:,.0f}"),
                *(f"{outcome.p50:.2f}", f"{outcome.p99:.2f}", str(outcome.failed)),
                *(f"{each:.1f}" for each in memory),
            )
            server.forget_log()
            # As many rows at the end as at the start: what grows then is not the registry.
            await drop_created(here.database_url)
        _show_slopes(console, samples)


def mixture(measured: Endpoints) -> list[Request]:
    return [
        requests[number % len(requests)]
        for code, count in SHARES.items()
        for requests in (measured[code],)
        for number in range(count)
    ]


def _memory(server: Server, data_dir: Path) -> list[float]:
    parts = (
        *(server.pids("app"), server.pids("engine")),
        *(service_pids("redis", data_dir), service_pids("postgres", data_dir)),
    )
    return [processes.proportional(pids) / MIB for pids in parts]


def _show_slopes(console: Console, samples: list[tuple[float, list[float]]]) -> None:
    settled = samples[int(len(samples) * WARM_UP) :]
    if len(settled) < 2:
        console.print("Too short to tell a slope.")
        return
    minutes = [minute for minute, _ in settled]
    for part, values in zip(PARTS, zip(*(memory for _, memory in settled), strict=True), strict=True):
        slope = statistics.linear_regression(minutes, values).slope
        console.print(f"{part}: {slope:+.2f} MiB a minute since minute {minutes[0]:.1f}")


def _row(console: Console, *columns: str) -> None:
    console.print("".join(f"{column:>12}" for column in columns))
