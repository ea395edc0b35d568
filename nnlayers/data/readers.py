"""Read columns of CSV files and .npz archives; errors name the file, the line and the column."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnlayers._core.archives import Archive
from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library, unknown_name
from nnlayers.data.table import DataError, check_finite

__all__ = ["CsvFile", "npz_arrays", "npz_columns"]

# The ways in which programs write a missing value.
MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "Null", "null", "None", "none"]
)

# The limit for the size of all arrays, as a multiple of the size of their archive. Compression
# makes tables of mostly zeros 10 to 50 times smaller; a stranger's file may claim 1,000 times.
MAX_EXPANSION = 100


class CsvFile:
    """A delimited UTF-8 text file with a header, read by column.

    Lines are counted from 1; a row that spans several lines has the number of the first. Lines
    without any value are skipped.

    Parameters
    ----------
    path : str
        The file.
    delimiter : str
        The delimiter, one character.

    Raises
    ------
    TypeError, ValueError
        If `delimiter` is not one character, or is a quote or a line break.
    DataError
        If the file cannot be read, is empty or has no rows, a line has more fields than the
        header, or the header names a column twice or not at all.
    ModuleNotFoundError
        Without pandas.
    """

    def __init__(self, path: str, delimiter: str) -> None:
        if not isinstance(delimiter, str):
            raise TypeError(f"delimiter must be a string, got {delimiter!r}")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(
                f"delimiter must be one character, no quote or break, got {delimiter!r}"
            )
        self.path = path
        self._pandas = optional_library("pandas", "cli")
        # Indices count all records, the header and blank ones included.
        self._records = self._read(delimiter)
        self.indices = self._header()
        if len(self._records) == 1:
            raise DataError(f"{path}: there is a header but no row")

    def numbers(self, name: str) -> Array:
        """Return a column as int64 if all its cells are integers, otherwise as float64.

        Raises
        ------
        DataError
            If there is no such column, or a cell is not a finite number.
        """
        numbers = self._parsed(name)
        self._check(name, np.isfinite(numbers))
        return numbers

    def text(self, name: str) -> Array:
        """Return the cells of a column as text; a blank cell is an error."""
        cells = self._cells(name)
        self._check(name, [bool(cell.strip()) for cell in cells])
        return cells

    def column(self, name: str) -> Array:
        """Return a column as numbers if most of its cells are numbers, otherwise as text."""
        advice = f"; if it is text, list {name!r} in categorical"
        cells, numbers = self._cells(name), self._parsed(name)
        if 2 * np.count_nonzero(~np.isnan(numbers)) > len(cells):
            self._check(name, np.isfinite(numbers), advice)
            return numbers
        self._check(name, [cell.strip() not in MISSING for cell in cells], advice)
        return cells

    def _read(self, delimiter: str) -> Any:
        text = _read_text(self.path)
        if not text.strip():
            raise DataError(f"{self.path}: the file is empty")
        errors = self._pandas.errors
        try:
            records = self._pandas.read_csv(
                io.StringIO(text, newline=""),
                sep=delimiter,
                header=None,
                dtype=str,
                na_filter=False,
                skip_blank_lines=False,
            )
        except (errors.EmptyDataError, errors.ParserError) as error:
            problem = str(error).removeprefix("Error tokenizing data. C error: ").strip()
            raise DataError(f"{self.path}: {problem}") from None
        suspects = records.index[records[0].str.strip() == ""]
        return records.drop([row for row in suspects if not "".join(records.loc[row]).strip()])

    def _header(self) -> dict[str, int]:
        """Return the columns' names and indices."""
        indices: dict[str, int] = {}
        for index, name in enumerate(self._records.iloc[0]):
            if not name.strip():
                raise DataError(f"{self.path}: column {index + 1} has no name in the header")
            if name in indices:
                raise DataError(f"{self.path}: the header names column {name!r} twice")
            indices[name] = index
        return indices

    def _cells(self, name: str) -> Array:
        if name not in self.indices:
            raise DataError(f"{self.path}: {unknown_name('column', name, self.indices)}")
        cells: Array = self._records[self.indices[name]].to_numpy(dtype=object)[1:]
        return cells

    def _parsed(self, name: str) -> Array:
        """Return the numbers of a column, with NaN for a cell that is not a number."""
        cells = self._cells(name)
        series = self._pandas.Series(cells, dtype=object)
        numbers: Array = self._pandas.to_numeric(series, errors="coerce").to_numpy()
        if numbers.dtype == np.int64:
            return numbers
        numbers = numbers.astype(np.float64)
        known = ~np.isnan(numbers)
        # NumPy rounds correctly, where pandas 3.0 is off by a unit in the last place.
        numbers[known] = cells[known].astype(np.float64)
        return numbers

    def _check(self, name: str, valid: Sequence[bool] | Array, advice: str = "") -> None:
        """Raise an error for the first cell of a column that is not valid, if any."""
        if not np.all(valid):
            row = int(np.argmin(valid))
            cell, record = self._cells(name)[row], self._records.index[row + 1]
            before = self._records.loc[: record - 1].to_numpy().ravel()
            line = 1 + record + "".join(before).count("\n")
            problem = "a missing value" if cell.strip() in MISSING else "not a finite number"
            raise DataError(
                f"{self.path}: line {line}, column {name!r}: {cell!r} is {problem}"
                f"{advice if cell.strip() else ''}"
            )


def _read_text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise DataError(f"{path}: line {line} is not UTF-8 text, byte 0x{byte:02x}") from None


def npz_arrays(path: str, names: Sequence[str]) -> dict[str, Array]:
    """Return arrays of an .npz archive, compressed or not; nothing is unpickled.

    Raises
    ------
    DataError
        If the file cannot be read, is not an archive or damaged, or lacks an array, or if its
        arrays hold Python objects or are more than 100 times as large as the file.
    """
    try:
        with open(path, "rb") as file:
            archive = Archive(file, expansion=MAX_EXPANSION)
            for name in names:
                if name not in archive.names:
                    raise ValueError(unknown_name("array", name, archive.names))
            return {name: archive.array(name) for name in names}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def npz_columns(path: str, key: str, array: Array) -> dict[str, Array]:
    """Return the columns ``key[0]``, ``key[1]``, ... of an array of shape (rows, ...).

    Raises
    ------
    DataError
        If the array holds anything but finite real numbers, or has no row or column.
    """
    location = f"{path}: array {key!r}"
    if array.dtype.kind not in "biuf":
        raise DataError(f"{location} must hold real numbers, got {array.dtype}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{location} has no rows or no columns: its shape is {array.shape}")
    matrix = np.ascontiguousarray(array.reshape(len(array), -1).T, dtype=np.float64)
    columns = {f"{key}[{number}]": values for number, values in enumerate(matrix)}
    for name, values in columns.items():
        check_finite(values, f"{path}: column {name!r}")
    return columns
