"""How fast `handover import lowdb` is, and how much memory it takes, beside PostgreSQL's own COPY in the same
run.
"""

import asyncio
import io
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from core.local.services import local_services
from core.settings import Settings

ROUNDS = 3
SMALL, LARGE = 100_000, 1_000_000
SAMPLE_S = 0.05
CATEGORIES = ("documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard")
PRIORITIES = ("low", "medium", "high", "critical")
STATUSES = ("new", "review", "in-progress", "completed", "rejected")
WORDS = ("análise", "dados", "painel", "risco", "coleta", "índice", "relatório", "ordem", "sessão", "gráfico")
COLUMNS = ("id", "title", "description", "category", "priority", "status", "tags", "created_at")


@dataclass(frozen=True, slots=True)
class Measured:
    """One import: what it says of its phases, wall-clock seconds, the peak of app and engine in bytes."""

    rows_per_second: dict[str, int]
    seconds: float
    memory: int


def records(count: int) -> Iterator[dict[str, object]]:
    """Ideas of the length that an idea bank holds: a sentence each, the same for every run."""
    chance = random.Random(count)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    for number in range(count):
        moment = start + timedelta(milliseconds=number * 1_009)
        yield {
            "id": f"{chance.getrandbits(128):032x}",
            "title": f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}",
            "description": " ".join(chance.choices(WORDS, k=chance.randrange(2, 15))),
            "category": chance.choice(CATEGORIES),
            "priority": chance.choice(PRIORITIES),
            "status": chance.choice(STATUSES),
            "tags": chance.sample(WORDS, k=chance.randrange(3)),
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "updatedAt": None,
        }


def write_source(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n  "items": [\n')
        for number, record in enumerate(records(count)):
            file.write(("" if number == 0 else ",\n") + json.dumps(record, ensure_ascii=False, indent=2))
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
    connection = await asyncpg.connect(url)
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
            memory = max(memory, resident_memory(process.pid))
            await asyncio.wait([ended], timeout=SAMPLE_S)
        seconds = time.perf_counter() - started
        row = await connection.fetchrow("SELECT state, error, result FROM jobs")
        if ended.result() != 0 or row is None or row["state"] != "succeeded":
            raise SystemExit(f"the import failed: {row and row['error']}")
        return Measured(json.loads(row["result"])["rowsPerSecond"], seconds, memory)
    finally:
        await connection.close()


def resident_memory(pid: int) -> int:
    """Bytes of a process and of everything below it."""
    try:
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return resident + sum(resident_memory(int(child)) for child in children)


async def measure(folder: Path) -> None:
    # The services outlive each command, so that starting them is not measured.
    with local_services(Settings.model_validate({"data_dir": folder})) as settings:
        url, redis = settings.database_url, settings.redis_url
        assert url is not None
        assert redis is not None
        environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": url, "REDIS_URL": redis}
        from core.database import schema

        await schema.deploy(url)
        small, text = folder / "small.json", copy_text(SMALL)
        write_source(small, SMALL)
        runs, copies = [], []
        for _ in range(ROUNDS):
            copies.append(await copy_in(url, text))
            runs.append(await import_file(url, small, environment))
        report(SMALL, runs, copies)
        large = folder / "large.json"
        write_source(large, LARGE)
        report(LARGE, [await import_file(url, large, environment)], [])


def report(count: int, runs: list[Measured], copies: list[float]) -> None:
    sys.stdout.write(f"\nImport of {count:,} records, median of {len(runs)}\n")
    for phase in ("preflight", "load", "verify"):
        rate = statistics.median(run.rows_per_second[phase] for run in runs)
        sys.stdout.write(f"  {phase:<10}{rate:>10,.0f} rows/s\n")
    whole = statistics.median(run.seconds for run in runs)
    sys.stdout.write(f"  {'command':<10}{count / whole:>10,.0f} rows/s ({whole:.1f} s from start to exit)\n")
    if copies:
        ratio = statistics.median(copy / run.seconds for copy, run in zip(copies, runs, strict=True))
        copied = count / statistics.median(copies)
        sys.stdout.write(f"  {'COPY':<10}{copied:>10,.0f} rows/s; the command reaches {ratio:.2f} of it\n")
    peak = max(run.memory for run in runs) / 1_000_000
    sys.stdout.write(f"  {'memory':<10}{peak:>10,.0f} MB at most, app and engine together\n")
    sys.stdout.flush()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        asyncio.run(measure(Path(folder)))
