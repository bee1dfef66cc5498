"""What was measured, as tables."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.endpoints import READS, SHOWN, SPREAD, WRITES
from tests.bench.imports import Imports
from tests.bench.rounds import Figures
from tests.bench.run import CACHED, GROWTH, LARGE, PLAIN, TWO_WORKERS, UNCACHED

YARDSTICKS: Final = {
    "a": "FastAPI, SQLAlchemy",
    "b": "FastAPI, asyncpg",
    "c": "Express, Prisma",
    "d": "Starlette, bytes",
}
CORES_FOR_TWO: Final = 3
"""Two workers and the load generator."""


@dataclass(frozen=True, slots=True)
class Target:
    """`at_most` when small is good."""

    shown: str
    wanted: float
    measured: float
    at_most: bool = False
    remark: str = ""

    @property
    def reached(self) -> bool:
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted


def show_app(console: Console, figures: Figures) -> None:
    table = _table("Handover, 1 worker, 32 connections (CPU: milliseconds per request)", "", "cache")
    for column in (
        "requests/s",
        "p50 ms",
        "p99 ms",
        "app",
        "engine",
        "PostgreSQL",
        "queries",
        "loaded",
        "failed",
    ):
        table.add_column(column, justify="right")
    for code, name in SHOWN.items():
        for server in (CACHED, UNCACHED):
            if not figures.rounds[server, code]:
                continue
            one = figures.median(server, code)
            queries = figures.queries.get((server, code))
            table.add_row(
                *(f"{code} {name}", "on" if server == CACHED else "off", f"{one.rate:,.0f}"),
                *(f"{one.p50:.2f}", f"{one.p99:.2f}"),
                *(f"{one.app:.3f}", f"{one.engine:.3f}", f"{one.database:.3f}"),
                *("-" if queries is None else f"{queries:.1f}", f"{one.queries:.2f}", str(one.failed)),
            )
    console.print(table)
    console.print(
        "Queries: of a request that comes alone; loaded: per request under load. Equal reads that meet share "
        "their queries, with the cache off too; those of E1* and E3* are seldom equal."
    )


def show_yardsticks(console: Console, figures: Figures) -> None:
    table = _table("Requests/s beside the yardsticks, with what failed in brackets", "")
    columns = {CACHED: "cached", UNCACHED: "uncached"}
    columns |= {letter: f"({letter}) {name}" for letter, name in YARDSTICKS.items()}
    columns |= {PLAIN: PLAIN, TWO_WORKERS: TWO_WORKERS, LARGE: f"uncached, {GROWTH}x rows"}
    for column in columns.values():
        table.add_column(column, justify="right")
    for code in SHOWN:
        table.add_row(code, *(_rate(figures, server, code) for server in columns))
    console.print(table)


def show_targets(console: Console, figures: Figures, imports: Imports | None) -> None:
    table = _table("Targets: medians of the rounds' ratios", "")
    for column in ("target", "measured"):
        table.add_column(column, justify="right")
    table.add_column("reached")
    for target in _targets(figures, imports):
        sign = "at most" if target.at_most else "at least"
        reached = "yes" if target.reached else "no"
        table.add_row(
            target.shown,
            f"{sign} {target.wanted:g}",
            f"{target.measured:.2f}",
            f"{reached}{target.remark and f' ({target.remark})'}",
        )
    console.print(table)


def _targets(figures: Figures, imports: Imports | None) -> Iterator[Target]:
    for code in READS:
        yield Target(f"{code} cached / (d)", 0.4, figures.ratio(CACHED, "d", code))
    for code, wanted in zip(SPREAD, (1.6, 1.1), strict=True):
        yield Target(f"{code} uncached / (b)", wanted, figures.ratio(UNCACHED, "b", code))
        yield Target(f"{code} projected / plain", 1.0, figures.ratio(UNCACHED, PLAIN, code))
    yield Target("E2 uncached / (c)", 0.8, figures.ratio(UNCACHED, "c", "E2"))
    for code in WRITES:
        yield Target(f"{code} / (c)", 1.0, figures.ratio(CACHED, "c", code))
        yield Target(f"{code} / (a)", 1.8, figures.ratio(CACHED, "a", code))
    for code in (*READS, *WRITES):
        for server in (CACHED, UNCACHED):
            one = figures.median(server, code)
            yield Target(f"{code} {server}: p99 / p50", 5.0, one.p99 / one.p50, at_most=True)
    cores = len(os.sched_getaffinity(0))
    remark = f"{cores} cores, the load takes one of them" if cores < CORES_FOR_TWO else ""
    for code in READS:
        ratio = figures.ratio(TWO_WORKERS, CACHED, code)
        yield Target(f"{code} cached: 2 workers / 1", 1.6, ratio, remark=remark)
    for code in SPREAD:
        # Costs, so the other way round; a tenth is noise.
        cost = figures.ratio(UNCACHED, LARGE, code)
        yield Target(f"{code} uncached: cost with {GROWTH} times the rows", 1.1, cost, at_most=True)
    if imports is not None:
        yield Target("import / COPY", 0.35, imports.ratio)
        yield Target("import: rows/s of 1,000,000 / 100,000", 0.9, imports.linearity)


def _rate(figures: Figures, server: str, code: str) -> str:
    if not figures.rounds[server, code]:
        return "-"
    one = figures.median(server, code)
    return f"{one.rate:,.0f}" + (f" [red]({one.failed})[/red]" if one.failed else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
