"""Lock a directory for one process."""

from __future__ import annotations

import importlib
import os
import weakref
from pathlib import Path
from typing import Any

__all__ = ["DirectoryLock"]


class DirectoryLock:
    """The lock of a directory, which ends with the process that holds it, however it ends.

    The directory itself is locked, by ``flock``, so no file of a lock can be left behind. The lock
    also ends when this object is garbage. On Windows, which has no ``flock``, nothing is locked.

    Parameters
    ----------
    directory : Path
        An existing directory.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     first, second = DirectoryLock(Path(name)), DirectoryLock(Path(name))
    ...     first.acquire(), second.acquire()
    ...     first.release()
    ...     second.acquire()
    ...     second.release()
    (True, False)
    True
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._close: weakref.finalize[[int], DirectoryLock] | None = None

    def acquire(self) -> bool:
        """Take the lock; return False if another process, or another object, holds it.

        Raises
        ------
        OSError
            If there is no such directory.
        """
        flock = _flock()
        if flock is None or self._close is not None:
            return True
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            flock.flock(descriptor, flock.LOCK_EX | flock.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:  # The file system has no locks, as some network file systems.
            pass
        self._close = weakref.finalize(self, os.close, descriptor)
        return True

    def release(self) -> None:
        """Give the lock back, if this object holds it."""
        if self._close is not None:
            self._close()
            self._close = None


def _flock() -> Any:
    """Return the module ``fcntl``; None on Windows."""
    try:
        return importlib.import_module("fcntl")
    except ModuleNotFoundError:
        return None
