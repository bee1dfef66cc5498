"""The folder of a server's figures: one small file per process and metric type.

prometheus_client reads the folder's name once, when it is first imported. So the supervisor (or the only
process) calls `prepare` before it imports anything that counts; workers inherit the environment variable.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from core.processes import new_folder

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def prepare(data_dir: Path) -> Path:
    """Make `data_dir/run/metrics-<random>`, the folder of this server."""
    run = data_dir / "run"
    run.mkdir(parents=True, exist_ok=True)
    return _use(new_folder(run, "metrics-"))


def ensure() -> Path:
    """Folder in use; a private temporary one if none was prepared (commands, tests)."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        Path(inherited).mkdir(parents=True, exist_ok=True)
        return Path(inherited)
    return _use(new_folder(Path(tempfile.gettempdir()), "handover-metrics-"))


def process_ids(directory: Path) -> set[int]:
    """Ids of processes that have metrics in the folder, alive or not (`counter_123.db` is of process 123)."""
    names = (path.stem.rpartition("_")[2] for path in directory.glob("*.db"))
    return {int(name) for name in names if name.isdecimal()}


def _use(directory: Path) -> Path:
    os.environ[VARIABLE] = str(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory
