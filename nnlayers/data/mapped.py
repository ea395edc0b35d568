"""Read matrices in .npy files that are larger than memory, a part at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nnlayers._core.archives import one_line
from nnlayers._core.array_headers import read_array_header
from nnlayers._core.arrays import Array
from nnlayers.data.batches import batches
from nnlayers.data.lazy_columns import LazyColumns
from nnlayers.data.problems import DataError
from nnlayers.data.table import Table

__all__ = ["MappedColumns", "is_mapped", "load_array", "matrix_columns", "sample", "write_rows"]

# A matrix of more numbers than this, a GiB as float64, is not read into memory as a whole.
MOST_IN_MEMORY = 1 << 27
# The number of numbers that are read or prepared at a time.
_PART = 1 << 22


class MappedColumns(LazyColumns):
    """The columns of a matrix that is mapped into memory, each read when it is needed.

    Parameters
    ----------
    key : str
        The name of the matrix: its columns are ``key[0]``, ``key[1]``, ...
    matrix : (rows, columns) ndarray
        The matrix.
    index : (selected,) ndarray of int, optional
        The selected rows; by default all.
    left_out : collection of str
        The names of columns to leave out.
    """

    def __init__(
        self,
        key: str,
        matrix: Array,
        index: npt.NDArray[np.intp] | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._key = key
        self._matrix = matrix
        self._index = index
        self._left_out = frozenset(left_out)
        names = (f"{key}[{number}]" for number in range(matrix.shape[1]))
        self._numbers = {
            name: number for number, name in enumerate(names) if name not in self._left_out
        }

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self._matrix) if self._index is None else len(self._index)

    def select(self, rows: Array) -> MappedColumns:
        """Return the columns of the rows of these indices."""
        index = rows if self._index is None else self._index[rows]
        return MappedColumns(self._key, self._matrix, index, self._left_out)

    def without(self, names: Collection[str]) -> MappedColumns:
        """Return the columns but those of these names."""
        return MappedColumns(self._key, self._matrix, self._index, self._left_out | set(names))

    def load(self, rows: slice | Array) -> dict[str, Array]:
        """Return the columns of some of the rows in memory."""
        part = self._matrix[rows if self._index is None else self._index[rows]]
        numbers = list(self._numbers.values())
        columns = np.ascontiguousarray(
            part.T if not self._left_out else part.T[numbers], np.float64
        )
        return dict(zip(self._numbers, columns, strict=True))

    def __getitem__(self, name: str) -> Array:
        column = self._matrix[:, self._numbers[name]]
        return (column if self._index is None else column[self._index]).astype(np.float64)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def is_mapped(table: Table) -> bool:
    """Return whether the columns of a table stay in their file."""
    return isinstance(table.columns, MappedColumns)


def load_array(path: str) -> Array:
    """Return the array of an .npy file, mapped into memory; nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read, is no .npy file or not of the length that it says, or holds
        Python objects.
    """
    try:
        with open(path, "rb") as file:
            header = read_array_header(file)
            size, start = os.fstat(file.fileno()).st_size, file.tell()
            header.check_size(size - start, most=size)
            # Nothing can be mapped of an array without bytes.
            content = (
                np.memmap(file, np.uint8, "r", start) if size > start else np.empty(0, np.uint8)
            )
            return np.asarray(header.array(content))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(
            f"{path}: this is not an .npy file of numbers or text, or it is damaged: "
            f"{one_line(error)}"
        ) from None


def matrix_columns(path: str, key: str, array: Array) -> MappedColumns | dict[str, Array]:
    """Return the columns of an array of shape (rows, ...), in memory if they fit.

    Raises
    ------
    DataError
        If it holds anything but real numbers, has no row or column, or is not in C order.
    """
    location = f"{path}: array {key!r}"
    if array.dtype.kind not in "biuf":
        raise DataError(f"{location} must hold real numbers, got {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{location} has no rows or no columns: its shape is {array.shape}")
    if array.ndim > 2 and not array.flags.c_contiguous and array.size > MOST_IN_MEMORY:
        raise DataError(f"{location} must be in C order, write it with np.ascontiguousarray")
    columns = MappedColumns(key, array.reshape(len(array), -1))
    return columns if array.size > MOST_IN_MEMORY else columns.load(slice(None))


def sample(table: Table) -> Table:
    """Return rows of a mapped table in memory, drawn evenly from all, to fit a preparation to."""
    columns = table.columns
    assert isinstance(columns, MappedColumns)
    count = max(min(len(table), _PART // len(columns)), 1)
    rows = np.sort(np.random.default_rng(0).choice(len(table), count, replace=False))
    return replace(table.rows(rows), columns=columns.load(rows))


def write_rows(
    table: Table, width: int, dtype: np.dtype[np.floating], encode: Callable[[Table], Array]
) -> Array:
    """Encode the rows of a mapped table into a temporary file, and return it mapped into memory.

    The file is in the directory for temporary files, which the environment variable ``TMPDIR``
    names, and is removed with the array.

    Parameters
    ----------
    table : Table
        The rows.
    width : int
        The number of features.
    dtype : float32 or float64
        The dtype of features.
    encode : callable
        Returns the features of a part of the rows, which is in memory.
    """
    columns = table.columns
    assert isinstance(columns, MappedColumns)
    with tempfile.TemporaryFile() as file:
        for rows in batches(len(table), max(_PART // max(width, len(columns)), 1)):
            file.write(encode(replace(table.rows(rows), columns=columns.load(rows))).data)
        file.flush()
        return np.memmap(file, dtype, "r", shape=(len(table), width))
