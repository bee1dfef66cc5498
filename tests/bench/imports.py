"""How fast `handover import lowdb` is, and how much memory it takes, beside PostgreSQL's own COPY in the same
run.
"""

import asyncio
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from core.database import schema
from core.server.embedded.services import local_services
from core.settings import Settings
from tests.bench import processes
from tests.bench.data import AS_AN_IMPORT, records

ROUNDS = 3
SMALL, LARGE = 100_000, 1_000_000
SAMPLE_S = 0.05
COLUMNS = ("id", "title", "description", "category", "priority", "status", "tags", "created_at")


@dataclass(frozen=True, slots=True)
class Measured:
    """One import: what it says of its phases, wall-clock seconds, the peak of app and engine in bytes."""

    rows_per_second: dict[str, int]
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Imports:
    """Rounds of `SMALL` records with the seconds of a COPY beside each, and one import of `LARGE`."""

    small: list[Measured]
    copies: list[float]
    large: Measured

    @property
    def ratio(self) -> float:
        """Of COPY's speed: from the command's start to its exit, verification included."""
        pairs = zip(self.copies, self.small, strict=True)
        return statistics.median(copy / run.seconds for copy, run in pairs)

    @property
    def linearity(self) -> float:
        """Rows per second of the large import for each of the small one."""
        return (LARGE / self.large.seconds) / (SMALL / statistics.median(run.seconds for run in self.small))


def write_source(path: Path, count: int) -> None:
    """As the old server writes its file: `JSON.stringify(data, null, 2)`."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n  "items": [')
        for number, record in enumerate(records(count)):
            text = json.dumps(record, ensure_ascii=False, indent=2).replace("\n", "\n    ")
            file.write(("" if number == 0 else ",") + "\n    " + text)
        file.write("\n  ]\n}")


def copy_text(count: int) -> bytes:
    lines = io.StringIO()
    for record in records(count):
        tags = "{" + ",".join(str(tag) for tag in record["tags"]) + "}"  # type: ignore[attr-defined]
        values = (
            *(record[name] for name in ("id", "title", "description", "category", "priority", "status")),
            tags,
        )
        lines.write("\t".join([*map(str, values), str(record["createdAt"])]) + "\n")
    return lines.getvalue().encode()


async def copy_in(url: str, text: bytes) -> float:
    """Seconds for the same rows by COPY into the same table: what PostgreSQL itself can do."""
    connection = await asyncpg.connect(url, server_settings=AS_AN_IMPORT)
    try:
        await connection.execute("TRUNCATE items")
        started = time.perf_counter()
        await connection.copy_to_table("items", source=io.BytesIO(text), columns=COLUMNS, format="text")
        return time.perf_counter() - started
    finally:
        await connection.close()


async def import_file(url: str, source: Path, environment: dict[str, str]) -> Measured:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("TRUNCATE items, jobs, job_events, import_rejects")
        started = time.perf_counter()
        with source.with_suffix(".log").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "core.cli", "import", "lowdb", source),
                env=environment,
                stdout=output,
                stderr=output,
            )
        ended = asyncio.create_task(process.wait())
        memory = 0
        while not ended.done():
            memory = max(memory, processes.resident(processes.family(process.pid)))
            await asyncio.wait([ended], timeout=SAMPLE_S)
        seconds = time.perf_counter() - started
        row = await connection.fetchrow("SELECT state, error, result FROM jobs")
        if ended.result() != 0 or row is None or row["state"] != "succeeded":
            said = source.with_suffix(".log").read_text(errors="replace")
            raise SystemExit(f"the import ended with {ended.result()}, its job: {row and dict(row)}\n{said}")
        return Measured(json.loads(row["result"])["rowsPerSecond"], seconds, memory)
    finally:
        await connection.close()


async def measure(folder: Path, step: Callable[[str], None]) -> Imports:
    await asyncio.to_thread(folder.mkdir)
    # The services outlive each command, so that starting them is not measured.
    with ExitStack() as stack:
        services = local_services(Settings.model_validate({"data_dir": folder}))
        settings = await asyncio.to_thread(stack.enter_context, services)
        url, redis = settings.database_url, settings.redis_url
        assert url is not None
        assert redis is not None
        environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": url, "REDIS_URL": redis}
        await schema.deploy(url)
        source, text = folder / "source.json", copy_text(SMALL)
        write_source(source, SMALL)
        runs, copies = [], []
        for number in range(ROUNDS):
            step(f"round {number + 1}: COPY of {SMALL:,} rows and import of the same records")
            copies.append(await copy_in(url, text))
            runs.append(await import_file(url, source, environment))
        step(f"import of {LARGE:,} records")
        write_source(source, LARGE)
        return Imports(runs, copies, await import_file(url, source, environment))


def show(console: Console, imports: Imports) -> None:
    table = Table(title="Import, rows/s", title_justify="left", title_style="bold")
    for column in ("records", "preflight", "load", "verify", "start to exit", "COPY alone", "memory MB"):
        table.add_column(column, justify="right")
    for count, runs, copies in (
        (SMALL, imports.small, imports.copies),
        (LARGE, [imports.large], None),
    ):
        phases = (
            statistics.median(run.rows_per_second[phase] for run in runs)
            for phase in ("preflight", "load", "verify")
        )
        table.add_row(
            f"{count:,}",
            *(f"{rate:,.0f}" for rate in phases),
            f"{count / statistics.median(run.seconds for run in runs):,.0f}",
            "-" if copies is None else f"{count / statistics.median(copies):,.0f}",
            f"{max(run.memory for run in runs) / 1_000_000:,.0f}",
        )
    console.print(table)
