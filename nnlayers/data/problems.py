"""Report problems of data by the file, the line, the column and the value."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array

__all__ = [
    "DataError",
    "Lines",
    "RowNumbers",
    "check_finite",
    "check_rows",
    "count_of",
    "find_missing",
    "preview",
]


class Lines(Protocol):
    """The lines of rows in a file: an array, or an object that finds them for an error."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, row: Any, /) -> Any:
        """Return the line of a row, or the lines of those that an array or a slice selects."""
        ...


class RowNumbers:
    """The numbers of selected rows of a table that is not from lines of a file, for messages."""

    def __init__(self, numbers: Array) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, row: Any) -> Any:
        """Return the description of a row, or the numbers that an array or a slice selects."""
        selected = self._numbers[row]
        return RowNumbers(selected) if np.ndim(selected) else self.describe(int(selected))

    @staticmethod
    def describe(row: int) -> str:
        """Return the number of a row with its origin."""
        return f"row {row} (counted from 0)"


class DataError(ValueError):
    """A problem with data; one line that names the file or data set, the column and the value."""

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).splitlines()))  # Names may hold line breaks.


def check_rows(
    valid: Array, values: Array, location: str, problem: str, lines: Lines | None = None
) -> None:
    """Raise a :class:`DataError` for the first row that is not valid, if any.

    `lines` are the lines of the rows in their file; without them, the row is counted from 0.

    Examples
    --------
    >>> check_rows(np.array([True, False]), np.array([3, -1]), "wine: column 'age'", "is negative")
    Traceback (most recent call last):
    nnlayers.data.problems.DataError: wine: column 'age', row 1 (counted from 0): -1 is negative
    """
    if not valid.all():
        row = int(np.argmin(valid))
        place = RowNumbers.describe(row) if lines is None else lines[row]
        place = place if isinstance(place, str) else f"line {place}"
        value = values[row]
        shown = repr(value.item()) if values.dtype.kind in "biuf" else f"{value!r:.80}"
        raise DataError(f"{location}, {place}: {shown} {problem}")


def check_finite(values: Array, location: str, lines: Lines | None = None) -> None:
    """Raise a :class:`DataError` for the first value that is NaN or infinite, if any."""
    check_rows(np.isfinite(values), values, location, "is not finite", lines)


def find_missing(values: Array) -> npt.NDArray[np.bool_]:
    """Return where values are missing: None, NaN, NaT or pandas' NA.

    Examples
    --------
    >>> find_missing(np.array(["a", None, float("nan")], object))
    array([False,  True,  True])
    """
    if values.dtype.kind in "biu":
        return np.zeros(values.shape, bool)
    if values.dtype.kind in "fM":
        return np.isnan(values)
    pandas = sys.modules.get("pandas")  # Its NA can only occur where it was imported.
    if pandas is not None:
        return np.asarray(pandas.isna(values), bool)
    return np.array([value is None or value != value for value in values.flat], bool)


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count_of(1, "row"), count_of(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def preview(values: Sequence[object] | Array) -> str:
    """Return the first three values as text."""
    return ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")
