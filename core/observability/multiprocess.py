"""The folder of a server's figures: one small file per process and metric type.

prometheus_client reads the folder's name once, when it is first imported. So the supervisor (or the only
process) calls `prepare` before it imports anything that counts; workers inherit the environment variable.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from core.processes import locked_at_once, open_lock

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = "metrics-"
_LOCK: Final = "in-use.lock"


def prepare(data_dir: Path) -> Path:
    """Make `data_dir/run/metrics-<random>`, the folder of this server, and remove those of servers that
    ended.

    Servers in several containers may share a data folder, so no process number tells whether a server lives:
    each holds a lock for as long as it does.
    """
    run = data_dir / "run"
    run.mkdir(parents=True, exist_ok=True)
    with os.fdopen(open_lock(run / "metrics.lock")) as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        for old in run.glob(f"{_PREFIX}*"):
            with locked_at_once(old / _LOCK) as lock:
                if lock is not None:
                    shutil.rmtree(old, ignore_errors=True)
        mine = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=run))
        # Never closed: the kernel drops the lock when this process ends, however that happens.
        fcntl.flock(open_lock(mine / _LOCK), fcntl.LOCK_SH)
    return _use(mine)


def ensure() -> Path:
    """Folder in use; a private temporary one if none was prepared (commands, tests)."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        Path(inherited).mkdir(parents=True, exist_ok=True)
        return Path(inherited)
    return _use(Path(tempfile.mkdtemp(prefix="handover-metrics-")))


def process_ids(directory: Path) -> set[int]:
    """Ids of processes that have metrics in the folder, alive or not (`counter_123.db` is of process 123)."""
    names = (path.stem.rpartition("_")[2] for path in directory.glob("*.db"))
    return {int(name) for name in names if name.isdecimal()}


def _use(directory: Path) -> Path:
    os.environ[VARIABLE] = str(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory
