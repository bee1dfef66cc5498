"""Kernel locks on files (flock): however their holder ends, the kernel lets go of them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
