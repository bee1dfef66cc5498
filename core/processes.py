"""Processes, as the kernel tells of them: children that die with their parent, locks on files (flock) that go
with their holder, and the umask of this process and its children.

Dying goes through `prctl`, so it protects on Linux; elsewhere a child outlives a parent that was killed with
-9 until the next start finds and stops it.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG = 1
_LOCK: Final = "in-use.lock"

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Ask the kernel to send the signal to this process when its parent goes; `parent` is the pid it must
    still have.

    Call it in the child. Without the second look a parent that died before the first call would be missed.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def dying_with_us(number: signal.Signals) -> Callable[[], None]:
    """The `preexec_fn` of a child that gets the signal when this process goes."""
    return partial(die_with_parent, number, os.getpid())


GIVEN_UMASK: Final = os.umask(0o077)
"""The one that the process was started with: for files that a person asked for."""
os.umask(GIVEN_UMASK)


def keep_files_private() -> None:
    """Make what this process and its children write from now on their user's alone."""
    os.umask(0o077)


def is_running(pid: int) -> bool:
    """True if there is such a process, whoever's it is."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def command_line(pid: int) -> str:
    """The arguments that the process was started with; empty when there is no such process."""
    try:
        if Path("/proc/self").exists():
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        command = ["ps", "-o", "args=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def open_lock(path: Path) -> int:
    """An open descriptor to lock on; it is not inherited by children."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, exclusive: bool) -> bool:
    """Take the lock if that is possible at once."""
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked_at_once(path: Path, *, exclusive: bool = True) -> Iterator[int | None]:
    """The descriptor of the lock, which is held for the block; None when somebody else has it."""
    descriptor = open_lock(path)
    try:
        yield descriptor if try_lock(descriptor, exclusive=exclusive) else None
    finally:
        os.close(descriptor)


def new_folder(parent: Path, prefix: str) -> Path:
    """A new folder of this process, `parent/prefix<random>`; those of processes that are gone are removed.

    Servers in several containers may share `parent`, so no process number tells whether one lives: each holds
    a lock, which the kernel drops when the process ends, however that happens.
    """
    for old in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            # Other users have theirs in the same place.
            if old.lstat().st_uid == os.getuid() and (old / _LOCK).exists():
                with locked_at_once(old / _LOCK) as lock:
                    if lock is not None:
                        shutil.rmtree(old, ignore_errors=True)
    mine = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    # Never closed: held until the process ends.
    lock = open_lock(mine / f"new-{_LOCK}")
    fcntl.flock(lock, fcntl.LOCK_SH)
    # Not before it is held: who finds it free removes the folder.
    (mine / f"new-{_LOCK}").rename(mine / _LOCK)
    return mine
