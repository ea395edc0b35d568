"""Raw rows, as a file or a data set holds them, before anything is learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import unmasked
from nnlayers._core.checks import unknown_name

__all__ = ["Array", "ColumnKind", "DataError", "Table", "check_finite", "check_rows", "shown"]

Array: TypeAlias = npt.NDArray[Any]
ColumnKind: TypeAlias = Literal["numeric", "categorical"]


class DataError(ValueError):
    """A problem with data; one line that names the file or data set, the place and the value."""


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length, with the target beside them.

    Parameters
    ----------
    columns : mapping of str to (rows,) array_like
        The features, at least one. Numbers and booleans are taken to float64 (numeric columns),
        strings to object arrays of ``str`` (categorical columns).
    target : (rows,) array_like, optional
        What is to be predicted: integers and booleans are taken to int64, other numbers to
        float64, strings to an object array of ``str``.
    target_name : str
        The target's name.
    origin : str
        The file or data set the rows came from, for messages.

    Raises
    ------
    DataError
        If there is no column, lengths differ, or a column is not one-dimensional or holds
        anything but real numbers or strings.

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
        # The dataclass is frozen for its users; here its fields get their final form.
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
        """Return the table of the rows that `indices` (integers, a mask or a slice) select."""
        chosen = indices if isinstance(indices, slice) else _row_indices(indices)
        return Table(
            {name: values[chosen] for name, values in self.columns.items()},
            None if self.target is None else self.target[chosen],
            self.target_name,
            self.origin,
        )

    def kind(self, name: str) -> ColumnKind:
        """Return whether column `name` holds numbers or text.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.origin}: {unknown_name('column', name, self.columns)}")
        return "categorical" if self.columns[name].dtype == object else "numeric"


def check_rows(valid: Array, values: Array, place: str, problem: str) -> None:
    """Raise a :class:`DataError` for the first row that is not valid, if any.

    Examples
    --------
    >>> check_rows(np.array([True, False]), np.array([3, -1]), "wine: column 'age'", "is negative")
    Traceback (most recent call last):
    nnlayers.data.table.DataError: wine: column 'age', row 1 (counted from 0): -1 is negative
    """
    if not valid.all():
        row = int(np.argmin(valid))
        raise DataError(f"{place}, row {row} (counted from 0): {values.tolist()[row]!r} {problem}")


def check_finite(values: Array, place: str) -> None:
    """Raise a :class:`DataError` for the first value that is NaN or infinite, if any."""
    check_rows(np.isfinite(values), values, place, "is not finite")


def shown(values: Sequence[object] | Array) -> str:
    """Return the first three values, for a message."""
    return ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")


def _row_indices(indices: npt.ArrayLike) -> Array:
    chosen = unmasked(indices, "indices")
    return chosen if chosen.size else chosen.astype(np.intp)  # an empty list is float64 to NumPy


def _column(values: npt.ArrayLike, place: str) -> Array:
    array = _one_dimensional(values, place)
    return array.astype(np.float64, copy=False) if array.dtype.kind in "biuf" else array


def _target(values: npt.ArrayLike, place: str) -> Array:
    array = _one_dimensional(values, place)
    if array.dtype.kind not in "biu":
        return _column(array, place)
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{place}: {array.max()} does not fit a 64-bit integer")
    return array.astype(np.int64, copy=False)


def _one_dimensional(values: npt.ArrayLike, place: str) -> Array:
    """Return real numbers as they are and strings as objects; anything else is an error."""
    try:
        array = unmasked(values, place)
    except ValueError as error:
        raise DataError(str(error)) from None
    if array.ndim != 1:
        raise DataError(f"{place} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind not in "OTU":
        raise DataError(f"{place} must hold real numbers or strings, got {array.dtype}")
    texts = array.astype(object, copy=False)
    check_rows(
        np.array([isinstance(text, str) for text in texts], bool), texts, place, "is not a string"
    )
    return texts
