"""Where the processes of one server keep their figures: one small file per process and metric type.

prometheus_client reads the folder's name once, when it is first imported. So the supervisor (or the only
process) calls `prepare` before it imports anything that counts; workers inherit the environment variable.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = "metrics-"


def prepare(data_dir: Path) -> Path:
    """Make `data_dir/run/metrics-<pid>`, the folder of this server, and drop those of servers that ended."""
    run = data_dir / "run"
    run.mkdir(parents=True, exist_ok=True)
    for old in run.glob(f"{_PREFIX}*"):
        pid = old.name.removeprefix(_PREFIX)
        if not pid.isdecimal() or int(pid) == os.getpid() or not is_alive(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    return _use(run / f"{_PREFIX}{os.getpid()}")


def ensure() -> Path:
    """The folder in use; a private temporary one when nobody prepared any (commands, tests)."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        Path(inherited).mkdir(parents=True, exist_ok=True)
        return Path(inherited)
    return _use(Path(tempfile.mkdtemp(prefix="handover-metrics-")))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def process_ids(directory: Path) -> set[int]:
    """Processes that have figures in the folder, alive or not (`counter_123.db` is of process 123)."""
    names = (path.stem.rpartition("_")[2] for path in directory.glob("*.db"))
    return {int(name) for name in names if name.isdecimal()}


def _use(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    os.environ[VARIABLE] = str(directory)
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    return directory
