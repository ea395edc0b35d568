"""Write files atomically and durably: under a temporary name, flushed, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_file", "is_temporary", "sync_directory", "temporary_path", "write_file"]

# File systems that cannot flush say so by these.
_CANNOT_SYNC = frozenset([errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
_PREFIX, _SUFFIX = ".nnlayers-", ".tmp"


def write_file(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Replace a file atomically with what ``write(file)`` writes.

    When it returns, the new content is on the disk; after a power loss at any moment there is the
    old or the new content. A link stays a link, and a device such as ``/dev/null`` a device. A
    replaced file keeps its permissions and, as far as the system allows, its owner; a new one gets
    those of the umask.

    Raises
    ------
    OSError
        If it cannot be written; the message names `path`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     write_file(Path(directory, "a"), lambda file: file.write(b"whole"))
    ...     Path(directory, "a").read_bytes()
    b'whole'
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                write(file)
            return
        target = Path(os.path.realpath(path))
        temporary = temporary_path(target.parent)
        replaced = os.stat(target) if target.exists() else None
        try:
            with open(temporary, "xb", opener=None if replaced is None else _private) as file:
                if replaced is not None:
                    _copy_permissions(replaced, file)
                write(file)
                _sync(file)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_directory(target.parent)
    except OSError as error:
        # An error without an errno is not the system's, and its message stays as it is.
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def append_file(path: str | os.PathLike[str], content: bytes, *, sync: bool = False) -> None:
    """Append to a file, and wait until it is on the disk if `sync` is true.

    Raises
    ------
    OSError
        If it cannot be written; a part of the content may have been.
    """
    with open(path, "ab") as file:
        file.write(content)
        if sync:
            _sync(file)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Wait until the names in a directory are on the disk; without them a file is lost."""
    if os.name == "nt":  # Windows cannot flush a directory.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def temporary_path(directory: Path) -> Path:
    """Return a name in a directory that nobody can guess and occupy beforehand."""
    return directory / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"


def is_temporary(path: Path) -> bool:
    """Return whether a name is one of :func:`temporary_path`, left by a process that was killed."""
    return path.name.startswith(_PREFIX) and path.name.endswith(_SUFFIX)


def _sync(file: BinaryIO | int) -> None:
    """Wait until what was written is on the disk, where the file system can tell."""
    if not isinstance(file, int):
        file.flush()
        file = file.fileno()
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


def _copy_permissions(replaced: os.stat_result, file: BinaryIO) -> None:
    """Give a file the owner, the group and the mode of another."""
    if not hasattr(os, "fchmod"):  # Windows has no such permissions.
        return
    own = os.fstat(file.fileno())
    if (own.st_uid, own.st_gid) != (replaced.st_uid, replaced.st_gid):
        with suppress(OSError):  # Most users must not give files away.
            os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(replaced.st_mode))
