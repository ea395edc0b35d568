"""Open files that may be compressed, by the ends of their names."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from nnlayers._core.archives import one_line
from nnlayers._core.checks import optional_library
from nnlayers.data.problems import DataError

__all__ = ["FREE_BYTES", "MAX_EXPANSION", "is_compressed", "open_decompressed", "plain_suffix"]

# The limit for the content of a compressed file: the multiple of its size, and the number of bytes
# that may come from any file, however small. Compression makes tables of mostly zeros 10 to 50
# times smaller; a stranger's file may claim 1,000 times.
MAX_EXPANSION = 100
FREE_BYTES = 1 << 24
_MOST_ENTRIES = 100

# The errors by which the libraries report a file that is damaged, or of another kind than it says.
_DAMAGE = (EOFError, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, zlib.error)


def is_compressed(path: str) -> bool:
    """Return whether the name of a file says that it is compressed.

    Examples
    --------
    >>> is_compressed("rows.csv.gz"), is_compressed("rows.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in _OPENERS


def plain_suffix(path: str) -> str:
    """Return the suffix of a file before its compression, in lower case.

    Examples
    --------
    >>> plain_suffix("ROWS.CSV.GZ"), plain_suffix("rows.tar.xz"), plain_suffix("rows")
    ('.csv', '', '')
    """
    name = Path(path)
    while name.suffix.lower() in _OPENERS:
        name = name.with_suffix("")
    return name.suffix.lower()


@contextmanager
def open_decompressed(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading its bytes, decompressed.

    Raises
    ------
    DataError
        If it cannot be read or is damaged, an archive does not hold exactly one file, or the
        content is more than 16 MB and 100 times as large as the file.
    ModuleNotFoundError
        For a ``.zst`` file without pyarrow.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_opener(path)(path))
        except (DataError, ModuleNotFoundError):
            raise
        except OSError as error:
            raise DataError(f"{path}: {one_line(error.strerror or str(error))}") from None
        except Exception as error:  # zipfile and tarfile raise many kinds of errors.
            raise _damage(path, error) from None
        if is_compressed(path):
            file = stack.enter_context(io.BufferedReader(_Bounded(path, file)))
        try:
            yield file
        except OSError as error:
            raise DataError(f"{path}: {one_line(error.strerror or str(error))}") from None
        except _DAMAGE as error:
            raise _damage(path, error) from None


class _Bounded(io.RawIOBase):
    """A file being decompressed, up to a multiple of its compressed size."""

    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self._left = FREE_BYTES + MAX_EXPANSION * os.path.getsize(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes.

        Raises
        ------
        DataError
            If the file is more than so many times as large as it was compressed.
        """
        content = self._file.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"{self._path}: it is more than {MAX_EXPANSION} times as large as the compressed "
                "file, which is not read: decompress it"
            )
        buffer[: len(content)] = content
        return len(content)


def _damage(path: str, error: Exception) -> DataError:
    return DataError(f"{path}: the compressed file is damaged: {one_line(str(error))}")


def _opener(path: str) -> Callable[[str], Any]:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    if suffixes[:1] == [".tar"]:  # Such as .tar.gz, which tarfile decompresses itself.
        return _open_tar
    return _OPENERS.get(Path(path).suffix.lower(), _open_plain)


def _open_plain(path: str) -> IO[bytes]:
    return open(path, "rb")


@contextmanager
def _open_zip(path: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        with archive.open(_only_member(path, files)) as file:
            yield file


@contextmanager
def _open_tar(path: str) -> Iterator[IO[bytes]]:
    with tarfile.open(path) as archive:
        # A small archive may hold millions of entries, which tarfile would keep.
        members = islice(archive, _MOST_ENTRIES)
        member = _only_member(path, [member for member in members if member.isfile()])
        file = archive.extractfile(member)
        assert file is not None  # The member is a file.
        with file:
            yield file


def _open_zstandard(path: str) -> Any:
    pyarrow = optional_library("pyarrow", "parquet")
    return pyarrow.input_stream(path, compression="zstd")


def _only_member(path: str, members: list[Any]) -> Any:
    if len(members) != 1:
        raise DataError(f"{path}: an archive must hold one file, this one holds {len(members)}")
    return members[0]


_OPENERS: dict[str, Callable[[str], Any]] = {
    ".bz2": bz2.open,
    ".gz": gzip.open,
    ".tar": _open_tar,
    ".xz": lzma.open,
    ".zip": _open_zip,
    ".zst": _open_zstandard,
}
