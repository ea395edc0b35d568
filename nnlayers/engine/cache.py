"""Machine code of kernels on disk, so that each is compiled once on a machine."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import warnings
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nnlayers._core.files import write_file

__all__ = ["CodeCache", "default_directory", "sources_digest"]

DIGEST_SIZE = hashlib.sha256().digest_size


class CodeCache:
    """Machine code in files of a directory that belongs to the user alone.

    A file begins with the digest of the rest, so that one that is damaged is compiled again. A
    directory that another user can write to is neither read nor written.

    Parameters
    ----------
    directory : Path
        The directory, which is made if it does not exist.
    key : bytes
        What the code depends on besides its name: the versions of sources and compiler, and the
        processor.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     code = CodeCache(Path(directory), b"this processor")
    ...     code.write("relu", b"machine code")
    ...     code.read("relu"), code.read("tanh")
    (b'machine code', None)
    """

    def __init__(self, directory: Path, key: bytes) -> None:
        self.directory = directory
        self._key = key
        self._is_usable = True

    def read(self, name: str) -> bytes | None:
        """Return the code of this name, or None if there is none, or it is damaged."""
        try:
            if not self._is_private():
                return None
            content = self._path(name).read_bytes()
        except OSError:
            return None
        digest, code = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
        return code if hashlib.sha256(code).digest() == digest else None

    def write(self, name: str, code: bytes) -> None:
        """Store code under a name; if that fails, a warning says so once."""
        if not self._is_usable:
            return
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_private():
                raise PermissionError(f"{self.directory} can be written to by others")
            content = hashlib.sha256(code).digest() + code
            write_file(self._path(name), lambda file: file.write(content))
        except OSError as error:
            self._is_usable = False
            warnings.warn(
                f"compiled kernels are not stored, and every process compiles them again: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _path(self, name: str) -> Path:
        digest = hashlib.sha256(self._key + name.encode()).hexdigest()
        return self.directory / f"{name}-{digest[:20]}.o"

    def _is_private(self) -> bool:
        """Return whether the directory is the user's, and nobody else can write to it."""
        if sys.platform == "win32":  # A user's directories are private there by default.
            return True
        status = self.directory.stat()
        return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def default_directory() -> Path:
    """Return the directory of compiled kernels, which ``NNLAYERS_CACHE_DIR`` may name.

    Otherwise it is ``nnlayers`` in the user's directory for caches.
    """
    named = os.environ.get("NNLAYERS_CACHE_DIR")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "nnlayers"


@cache
def sources_digest() -> bytes:
    """Return a digest of the engine's sources, and of the versions of what compiles them."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite"):
        with suppress(PackageNotFoundError):
            digest.update(f"{package} {version(package)}".encode())
    return digest.digest()
