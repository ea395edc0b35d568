"""Files that are whole or not there: written under another name, then put in place."""

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
    """Put what ``write(file)`` writes in the place of `path`, which is whole until then.

    A link stays a link, and a device such as ``/dev/null`` a device. A file that is replaced keeps
    its permissions and, as far as the system allows, its owner; a new one has what the umask gives.

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
        # Nobody else can know the name beforehand, and put a link or a file of his own there.
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
        if error.errno is None:  # none of the system's, so there is no other name in its message
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


def _copy_permissions(replaced: os.stat_result, file: BinaryIO) -> None:
    """Give a file the owner, the group and the mode of another."""
    if not hasattr(os, "fchmod"):  # on Windows, where a file has none of these
        return
    own = os.fstat(file.fileno())
    if (own.st_uid, own.st_gid) != (replaced.st_uid, replaced.st_gid):
        with suppress(OSError):  # which most users may not
            os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(replaced.st_mode))
