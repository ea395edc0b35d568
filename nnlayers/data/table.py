"""Tables of raw rows, as a file or a data set holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import unknown_name

__all__ = ["ColumnKind", "DataError", "Table", "check_finite", "check_rows", "preview"]

ColumnKind: TypeAlias = Literal["numeric", "categorical"]


class DataError(ValueError):
    """A problem with data; one line that names the file or data set, the column and the value."""


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length, and a target.

    Parameters
    ----------
    columns : mapping of str to (rows,) array_like
        The features, at least one. Numbers and booleans are converted to float64 (numeric columns),
        strings to object arrays of ``str`` (categorical columns).
    target : (rows,) array_like, optional
        The values to predict: integers and booleans are converted to int64, other numbers to
        float64, strings to an object array of ``str``.
    target_name : str
        The name of the target.
    origin : str
        The file or data set of the rows, for messages.

    Raises
    ------
    DataError
        If there is no column, lengths differ, or a column is not one-dimensional or holds anything
        but real numbers or strings.

    Examples
    --------
    >>> table = Table({"height": [1.7, 1.8], "city": ["Bonn", "Ulm"]}, target=[0, 1])
    >>> len(table)
    2
    >>> table.rows([1]).columns["city"]
    array(['Ulm'], dtype=object)
    """

    columns: Mapping[str, Array]
    target: Array | None = None
    target_name: str = "target"
    origin: str = "table"

    def __post_init__(self) -> None:
        columns = {
            name: _column(values, f"{self.origin}: column {name!r}")
            for name, values in self.columns.items()
        }
        if not columns:
            raise DataError(f"{self.origin}: there is no feature column")
        # The dataclass is frozen for its users; this converts its fields once.
        object.__setattr__(self, "columns", columns)
        lengths = {f"column {name!r}": len(values) for name, values in columns.items()}
        if self.target is not None:
            target = _target(self.target, f"{self.origin}: target {self.target_name!r}")
            object.__setattr__(self, "target", target)
            lengths[f"target {self.target_name!r}"] = len(target)
        (first, rows), *others = lengths.items()
        for name, length in others:
            if length != rows:
                raise DataError(f"{self.origin}: {name} has {length} rows, {first} has {rows}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, indices: npt.ArrayLike | slice) -> Table:
        """Return a table of the rows that `indices` (integers, a mask or a slice) select."""
        selection = indices if isinstance(indices, slice) else _row_indices(indices)
        return Table(
            {name: values[selection] for name, values in self.columns.items()},
            None if self.target is None else self.target[selection],
            self.target_name,
            self.origin,
        )

    def kind(self, name: str) -> ColumnKind:
        """Return the kind of column `name`: ``"numeric"`` or ``"categorical"``.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.origin}: {unknown_name('column', name, self.columns)}")
        return "categorical" if self.columns[name].dtype == object else "numeric"


def check_rows(valid: Array, values: Array, location: str, problem: str) -> None:
    """Raise a :class:`DataError` for the first row that is not valid, if any.

    Examples
    --------
    >>> check_rows(np.array([True, False]), np.array([3, -1]), "wine: column 'age'", "is negative")
    Traceback (most recent call last):
    nnlayers.data.table.DataError: wine: column 'age', row 1 (counted from 0): -1 is negative
    """
    if not valid.all():
        row = int(np.argmin(valid))
        raise DataError(
            f"{location}, row {row} (counted from 0): {values.tolist()[row]!r} {problem}"
        )


def check_finite(values: Array, location: str) -> None:
    """Raise a :class:`DataError` for the first value that is NaN or infinite, if any."""
    check_rows(np.isfinite(values), values, location, "is not finite")


def preview(values: Sequence[object] | Array) -> str:
    """Return the first three values as text."""
    return ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")


def _row_indices(indices: npt.ArrayLike) -> Array:
    array = unmasked(indices, "indices")
    return array if array.size else array.astype(np.intp)  # NumPy makes an empty list float64.


def _column(values: npt.ArrayLike, location: str) -> Array:
    array = _one_dimensional(values, location)
    return array.astype(np.float64, copy=False) if array.dtype.kind in "biuf" else array


def _target(values: npt.ArrayLike, location: str) -> Array:
    array = _one_dimensional(values, location)
    if array.dtype.kind not in "biu":
        return _column(array, location)
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{location}: {array.max()} does not fit a 64-bit integer")
    return array.astype(np.int64, copy=False)


def _one_dimensional(values: npt.ArrayLike, location: str) -> Array:
    """Return real numbers unchanged and strings as objects; anything else is an error."""
    try:
        array = unmasked(values, location)
    except ValueError as error:
        raise DataError(str(error)) from None
    if array.ndim != 1:
        raise DataError(f"{location} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind not in "OTU":
        raise DataError(f"{location} must hold real numbers or strings, got {array.dtype}")
    texts = array.astype(object, copy=False)
    check_rows(
        np.array([isinstance(text, str) for text in texts], bool),
        texts,
        location,
        "is not a string",
    )
    return texts
