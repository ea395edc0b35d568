"""Files that are whole or not there: written under another name, then put in place."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_file"]


def write_file(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Put what ``write(file)`` writes in the place of `path`, which is whole until then.

    A link stays a link, and a device such as ``/dev/null`` a device.

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
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                write(file)
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with temporary.open("wb") as file:
                write(file)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is None:  # none of the system's, so there is no other name in its message
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
