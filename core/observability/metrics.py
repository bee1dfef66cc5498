"""Metrics for Prometheus, correct with one worker or many: every process writes its own files, a scrape adds
them up (prometheus_client's multiprocess mode, always on).

Import `Counter`, `Gauge` and `Histogram` from here, not from prometheus_client: this module chooses the
files' folder first. Gauges name their `multiprocess_mode`. Names start with `handover_`, but for the two
that existing dashboards scrape (`core.http.answers.sending`).
"""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from core.observability import logging, multiprocess
from core.processes import is_running

if "prometheus_client.values" in sys.modules and multiprocess.VARIABLE not in os.environ:
    raise ImportError(
        "prometheus_client was imported before core.observability.metrics, so its figures would be wrong "
        "with several workers: import Counter, Gauge and Histogram from core.observability.metrics."
    )
DIRECTORY: Final[Path] = multiprocess.ensure()

from prometheus_client import (  # noqa: E402 - the folder has to be known first
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402
from prometheus_client.registry import REGISTRY, Collector  # noqa: E402

__all__ = ["CONTENT_TYPE", "Counter", "Gauge", "Histogram", "observe_many", "registry", "scrape"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
registry: Final = REGISTRY


class _Processes(Collector):
    """CPU, memory, open files and start time of every live process of the server, labelled `pid`."""

    def __init__(self, pids: set[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for pid in sorted(self._pids):
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = families.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, "pid": str(pid)}, sample.value)
        yield from families.values()


def observe_many(histogram: Histogram, counts: Sequence[int], total: float) -> None:
    """`observe` for each of many values: `counts` per bucket, the last one without a bound, and
    the values' sum. The library has no public way, and value by value costs a write to two files' maps each.
    """
    histogram._sum.inc(total)
    for bucket, count in zip(histogram._buckets, counts, strict=True):
        if count:
            bucket.inc(count)


def scrape() -> bytes:
    """Text of `/metrics`. Reads one file per process and type: some milliseconds, so call it off the loop.
    Metrics of other processes may lack what they deferred a moment ago.
    """
    logging.flush()
    alive: set[int] = {os.getpid()}
    for pid in multiprocess.process_ids(DIRECTORY):
        if is_running(pid):
            alive.add(pid)
        else:
            mark_process_dead(pid, str(DIRECTORY))  # type: ignore[no-untyped-call]
    answer = CollectorRegistry()
    MultiProcessCollector(answer, str(DIRECTORY))  # type: ignore[no-untyped-call]
    answer.register(_Processes(alive))
    return generate_latest(answer)
