"""Servers under load one at a time, in rounds whose order rotates: each ratio is between neighbours in
time.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tests.bench import answers, processes
from tests.bench.data import drop_created
from tests.bench.endpoints import WRITES, Endpoints
from tests.bench.load import Generator, Load, Request
from tests.bench.servers import Server, service_pids

CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """One endpoint of one server in one round. Latencies and CPU are milliseconds; CPU and
    queries are per request."""

    rate: float
    p50: float
    p99: float
    app: float
    engine: float
    database: float
    queries: float
    failed: int


@dataclass
class Figures:
    """By server and endpoint: what each round measured, and the queries of a request that comes alone."""

    rounds: dict[tuple[str, str], list[Measured]] = field(default_factory=lambda: defaultdict(list))
    queries: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def median(self, server: str, code: str) -> Measured:
        rounds = self.rounds[server, code]
        values: dict[str, Any] = {
            each.name: statistics.median(getattr(one, each.name) for one in rounds)
            for each in fields(Measured)
        }
        # Not a median: whatever failed is shown.
        return Measured(**{**values, "failed": sum(one.failed for one in rounds)})

    def ratio(self, server: str, other: str, code: str) -> float:
        """How often `server` answers for each answer of `other`: the median of the rounds' ratios."""
        pairs = zip(self.rounds[server, code], self.rounds[other, code], strict=True)
        return statistics.median(one.rate / two.rate if two.rate else 0.0 for one, two in pairs)


@dataclass(frozen=True)
class Rounds:
    generator: Generator
    data_dir: Path
    database_url: str
    count: int
    seconds: float
    warm_up_s: float

    async def measure(
        self, servers: Sequence[Server], measured: Endpoints, step: Callable[[str], None]
    ) -> Figures:
        figures = Figures()
        for number in range(self.count):
            for code, requests in measured.items():
                taking_part = [server for server in servers if code in server.endpoints]
                first = number % len(taking_part)
                for server in taking_part[first:] + taking_part[:first]:
                    step(f"round {number + 1}: {code} {server.name}")
                    figures.rounds[server.name, code].append(await self._one(server, requests))
                    if code in WRITES:
                        await drop_created(self.database_url)
        return figures

    async def _one(self, server: Server, requests: Sequence[Request]) -> Measured:
        if self.warm_up_s:
            await self._load(server, requests, self.warm_up_s)
        queried, before = await answers.queries_so_far(server), self._cpu(server)
        load = await self._load(server, requests, self.seconds)
        after = self._cpu(server)
        queries = await answers.queries_so_far(server) - queried
        server.forget_log()
        answered = max(1, load.requests)
        used = (processes.cpu_used(*looks) for looks in zip(before, after, strict=True))
        app, engine, database = (1000 * seconds / answered for seconds in used)
        return Measured(
            *(load.rate, load.p50, load.p99, app, engine, database),
            queries=queries / answered,
            failed=load.failed,
        )

    def _cpu(self, server: Server) -> list[dict[int, float]]:
        parts = (server.pids("app"), server.pids("engine"), service_pids("postgres", self.data_dir))
        return [processes.cpu_seconds(pids) for pids in parts]

    async def _load(self, server: Server, requests: Sequence[Request], seconds: float) -> Load:
        return await self.generator.run(server.port, requests, seconds=seconds, connections=CONNECTIONS)
