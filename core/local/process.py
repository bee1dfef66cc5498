"""Children that die with their parent, and another user for programs that refuse to run as root.

All of it goes through `prctl`, so it protects on Linux; elsewhere a child outlives a parent that was
killed with -9 until the next start finds and stops it.
"""

import ctypes
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The user a child runs as."""

    uid: int
    gid: int


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Ask the kernel to send the signal to this process when its parent goes; `parent` is the pid it must
    still have.

    Call it in the child. Without the second look a parent that died before the first call would be missed.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def child_setup(
    number: signal.Signals, account: Account | None = None, *, keep_access: bool = False
) -> Callable[[], None]:
    """What a child does between fork and exec: become the account, then tie its life to its parent's.

    `keep_access` lets the account pass folders that only root may enter (a data folder below /root, say),
    by the one capability that this needs. The order matters: changing the user clears the parent-death
    signal.
    """
    parent = os.getpid()

    def setup() -> None:
        if account is not None:
            if keep_access and _libc is not None:
                _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            if keep_access:
                _raise_ambient_access()
        os.umask(0o077)
        die_with_parent(number, parent)

    return setup


def _raise_ambient_access() -> None:
    """Where the capability is not to be had the child goes on without it and says itself what it cannot
    reach.
    """
    if _libc is None:
        return
    bit = 1 << CAP_DAC_OVERRIDE
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(bit, bit, bit), _CapabilityData(0, 0, 0))
    if _libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0:
        _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def keep_files_private() -> None:
    """What this process and its children write is their user's alone from now on."""
    global _given_umask
    _given_umask = os.umask(0o077)


def given_umask() -> int:
    """The one that the process was started with: for files that a person asked for."""
    if _given_umask is not None:
        return _given_umask
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_given_umask: int | None = None


def open_to_everybody(paths: Sequence[Path]) -> bool:
    """Whether another user may enter every folder on the way to these paths."""
    return all(
        parent.stat().st_mode & stat.S_IXOTH
        for path in paths
        for parent in [path.resolve(), *path.resolve().parents]
        if parent.is_dir()
    )


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    """How the process was started; empty when there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            recorded = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return recorded.replace(b"\0", b" ").decode(errors="replace")
    done = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout
