"""`make bench`: how fast the app is, beside what else could have been written, and where it stands against
its targets. It measures: nothing of it fails because something is slow.
"""

import argparse
import os
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench import imports, tables
from tests.bench.load import OwnClient, generator
from tests.bench.profiling import profile
from tests.bench.run import QUICK, Plan, measure
from tests.bench.soak import soak

WIDTH = 150


async def bench(folder: Path, console: Console, *, quick: bool) -> None:
    plan = QUICK if quick else Plan()
    load = OwnClient() if quick else generator(folder)
    with console.status("") as status:
        figures = await measure(plan, folder, load, status.update)
        imported = None if quick else await imports.measure(folder / "import", status.update)
    cores = len(os.sched_getaffinity(0))
    console.print(
        f"\nLoad from {load.name} over loopback, on the {cores} cores that the servers have too. "
        f"{plan.rows:,} items and as many ideas; medians of {plan.rounds} round(s) of {plan.seconds:g} s."
    )
    tables.show_app(console, figures)
    if not quick:
        console.print(
            "The yardsticks answer the same bytes from the same rows, with pools of 10. They write an item "
            "in one transaction, in which the table's triggers count its version and write its audit entry "
            "as they do for Handover. They write no log; Handover does."
        )
        tables.show_yardsticks(console, figures)
        if imported is not None:
            imports.show(console, imported)
        tables.show_targets(console, figures, imported)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="the app alone, a moment for each figure")
    mode.add_argument(
        "--soak",
        type=float,
        metavar="MINUTES",
        nargs="?",
        const=10.0,
        help="mixed load, and what memory does",
    )
    mode.add_argument("--profile", metavar="E1", help="where the CPU time of a cached request goes")
    chosen = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as name:
        folder = Path(name)
        if chosen.soak is not None:
            uvloop.run(soak(folder, console, chosen.soak))
        elif chosen.profile is not None:
            uvloop.run(profile(folder, console, chosen.profile.upper()))
        else:
            uvloop.run(bench(folder, console, quick=chosen.quick))


if __name__ == "__main__":
    main()
