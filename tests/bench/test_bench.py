"""The benchmark itself works: every figure comes out, and no request fails."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import tables
from tests.bench.endpoints import READS, WRITES
from tests.bench.load import OwnClient
from tests.bench.run import CACHED, QUICK, UNCACHED, measure

pytestmark = pytest.mark.slow


async def test_every_request_is_measured_with_and_without_the_cache(tmp_path: Path) -> None:
    figures = await measure(QUICK, tmp_path, OwnClient())
    for code in (*READS, *WRITES):
        for server in (CACHED, UNCACHED):
            [one] = figures.rounds[server, code]
            assert one.failed == 0
            assert one.rate > 0
            assert 0 < one.p50 <= one.p99
    assert not figures.queries[CACHED, "E1"]
    queries = {code: figures.queries[UNCACHED, code] for code in (*READS, *WRITES)}
    assert all(queries.values()), queries
    assert all(figures.median(CACHED, code).engine > 0 for code in WRITES)
    console = Console(width=200, record=True, quiet=True)
    tables.show_app(console, figures)
