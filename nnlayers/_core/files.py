"""Write files atomically: under a temporary name, then renamed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_file"]


def write_file(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Replace a file atomically with what ``write(file)`` writes.

    A link stays a link, and a device such as ``/dev/null`` a device. A replaced file keeps its
    permissions and, as far as the system allows, its owner; a new one gets those of the umask.

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
        # Nobody can guess this name and put a link or a file there beforehand.
        temporary = target.with_name(f".nnlayers-{secrets.token_hex(8)}.tmp")
        replaced = os.stat(target) if target.exists() else None
        try:
            with open(temporary, "xb", opener=None if replaced is None else _private) as file:
                if replaced is not None:
                    _copy_permissions(replaced, file)
                write(file)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # An error without an errno is not the system's, and its message stays as it is.
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


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
