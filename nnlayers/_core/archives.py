"""Read and write .npz archives; a file from a stranger costs no more memory than its size."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from nnlayers._core.array_headers import read_array_header
from nnlayers._core.arrays import Array
from nnlayers._core.files import write_file
from nnlayers._core.signals import DelayedSignals

__all__ = ["Archive", "one_line", "read_arrays", "write_archive", "write_arrays"]

_CHUNK = 1 << 20
# Messages are cut off here, because they may quote a hostile file.
_LONGEST = 500


class Archive:
    """The entries of an .npz archive; sizes are checked before anything is allocated.

    Nothing is unpickled. Any fault of a file, from a damaged byte to a header that announces more
    than there is, raises a ``ValueError`` of one line.

    Parameters
    ----------
    file : binary file
        Open for reading, and at its start; it must stay open.
    expansion : int
        The largest size of all entries together, in multiples of the file's size. At 1 no entry
        may be compressed.

    Attributes
    ----------
    names : tuple of str
        The arrays, in the order of the file.

    Raises
    ------
    ValueError
        If it is not a zip archive, or holds two entries of one name, entries that are encrypted or
        may not be compressed, or more than `expansion` allows.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_archive(file, {"W": np.ones(2)})
    >>> archive = Archive(file)
    >>> archive.names, archive.array("W")
    (('W',), array([1., 1.]))
    """

    def __init__(self, file: BinaryIO, *, expansion: int = 1) -> None:
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            self._archive = zipfile.ZipFile(file)
        except OSError:
            raise
        except Exception as error:  # zipfile raises many kinds of errors for damaged files.
            raise ValueError("this is not an .npz archive, or it is damaged") from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[: 1 if expansion == 1 else 2]
        remaining = expansion * self._size
        for entry in self._archive.infolist():
            name = one_line(repr(entry.filename))
            if entry.filename in self._entries:
                raise ValueError(f"damaged: entry {name} occurs twice")
            if entry.compress_type not in methods:
                raise ValueError(f"entry {name} is compressed, which is not read here")
            remaining -= entry.file_size
            if remaining < 0:
                raise ValueError(
                    f"its arrays are more than {expansion} times as large as the file, which is "
                    "not read: write it without compression"
                )
            self._entries[entry.filename] = entry
        self.names = tuple(
            name.removesuffix(".npy") for name in self._entries if name.endswith(".npy")
        )

    def content(self, name: str) -> bytes:
        """Return an entry's bytes.

        Raises
        ------
        ValueError
            If there is no such entry, or it is damaged.
        """
        try:
            return self._archive.read(self._entries[name])
        except Exception as error:
            _raise_if_unreadable(error)
            raise ValueError(f"entry {name!r} cannot be read: {one_line(error)}") from error

    def array(self, name: str) -> Array:
        """Return an array.

        Raises
        ------
        ValueError
            If there is no such entry, or it is damaged, or holds anything but numbers, dates or
            text.
        """
        try:
            with self._archive.open(self._entries[f"{name}.npy"]) as entry:
                return self._read(entry)
        except Exception as error:
            _raise_if_unreadable(error)
            raise ValueError(
                f"array {one_line(repr(name))} cannot be read: {one_line(error)}"
            ) from error

    def _read(self, entry: IO[bytes]) -> Array:
        header = read_array_header(entry)
        stored = self._entries[str(entry.name)].file_size - entry.tell()
        header.check_size(stored, most=self._size)
        content = np.empty(stored, np.uint8)
        _fill(content.data, entry)
        entry.read(1)  # Reading to the end compares the checksum.
        return header.array(content)


def _raise_if_unreadable(error: Exception) -> None:
    """Raise an error of the disk again; one of a position that a damaged archive names is none."""
    if isinstance(error, OSError) and error.errno != errno.EINVAL:
        raise error


def write_archive(
    file: BinaryIO,
    arrays: Mapping[str, Array],
    *,
    texts: Mapping[str, str] | None = None,
    comment: bytes = b"",
) -> None:
    """Write an archive of arrays that :class:`Archive` and ``numpy.load`` read.

    Parameters
    ----------
    file : binary file
        Open for writing.
    arrays : mapping of str to ndarray
        Arrays by name; none may hold objects.
    texts : mapping of str to str, optional
        Further entries by name, written in front of the arrays.
    comment : bytes
        The archive's comment, which ends the file.
    """

    def write() -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in (texts or {}).items():
                archive.writestr(zipfile.ZipInfo(name), text)
            for name, array in arrays.items():
                # A ZipInfo of a name alone has no time, so that equal arrays give equal files.
                entry = zipfile.ZipInfo(f"{name}.npy")
                with archive.open(entry, "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)
            archive.comment = comment

    # Ctrl-C in the middle of an entry would leave it open, and the archive with it, which would
    # raise another error instead.
    with DelayedSignals() as signals:
        signals.run(write)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name to an .npz file, as :func:`nnlayers._core.files.write_file` does."""
    write_file(path, lambda file: write_archive(file, arrays))


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz file by name; nothing is unpickled.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or compressed, or holds anything but plain arrays; the message names it.
    """
    with path.open("rb") as file:
        try:
            archive = Archive(file)
            return {name: archive.array(name) for name in archive.names}
        except ValueError as error:
            raise ValueError(one_line(f"{path}: {error}")) from None


def one_line(message: object) -> str:
    r"""Return a message, or an error's type and message, as one line of bounded length.

    Examples
    --------
    >>> one_line(KeyError("a")), one_line(RecursionError()), one_line("two\nlines")
    ("KeyError: 'a'", 'RecursionError', 'two lines')
    """
    text = str(message)[: 2 * _LONGEST]
    if isinstance(message, Exception) and type(message) is not ValueError:
        text = f"{type(message).__name__}: {text}" if text else type(message).__name__
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _fill(buffer: memoryview, entry: Any) -> None:
    start = 0
    while start < len(buffer):
        count = entry.readinto(buffer[start : start + _CHUNK])
        if not count:
            raise ValueError(f"it ends {len(buffer) - start} bytes early")
        start += count
