"""Tables of raw rows, as a file or a data set holds them."""

from __future__ import annotations

import datetime
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import check_instance, unknown_name
from nnlayers._core.showing import shown
from nnlayers.data.lazy_columns import LazyColumns, StoredColumns
from nnlayers.data.problems import (
    DataError,
    Lines,
    RowNumbers,
    check_rows,
    count_of,
    find_missing,
    preview,
)
from nnlayers.data.table_preview import preview_of
from nnlayers.data.texts import CodedTexts, Levels, levels_of

__all__ = [
    "Column",
    "ColumnKind",
    "Remarks",
    "Table",
]

ColumnKind: TypeAlias = Literal["numeric", "categorical", "date"]


class Remarks:
    """Findings in a column that is read in parts, each worth one warning.

    Attributes
    ----------
    counts : Counter
        The number of rows of each unusual value.
    describe : callable
        Return the warning about the counts, without the location of the column.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.describe: Callable[[Counter[str]], str] = str

    def add(self, counts: Mapping[str, int], describe: Callable[[Counter[str]], str]) -> None:
        """Add the counts of a part."""
        self.counts.update(counts)
        self.describe = describe


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table: its values, and where they are from, for messages.

    Parameters
    ----------
    source : (rows,) ndarray or CodedTexts
        Numbers, strings or dates, as :class:`Table` has them.
    location : str
        The file and the name of the column.
    lines : (rows,) ndarray of int, optional
        The lines of the rows in the file.
    remarks : Remarks, optional
        The collection of what is worth a warning, where the column is a part of one.
    """

    source: Array | CodedTexts
    location: str
    lines: Lines | None = None
    remarks: Remarks | None = None

    @cached_property
    def values(self) -> Array:
        """The numbers, strings or dates."""
        return np.asarray(self.source)

    @property
    def levels(self) -> Levels:
        """The different values as text."""
        return levels_of(self.source)

    @property
    def kind(self) -> ColumnKind:
        """The kind of the values."""
        kind = self.source.dtype.kind
        return "categorical" if kind == "O" else "date" if kind == "M" else "numeric"

    def check(self, valid: Array, problem: str) -> None:
        """Raise a :class:`DataError` for the first row that is not valid, if any."""
        check_rows(valid, self.values, self.location, problem, self.lines)

    def remark(self, counts: Mapping[str, int], describe: Callable[[Counter[str]], str]) -> None:
        """Warn of values, or collect them where the column is a part of one."""
        if self.remarks is not None:
            self.remarks.add(counts, describe)
        else:
            warnings.warn(f"{self.location} {describe(Counter(counts))}", stacklevel=4)


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length, and a target.

    ``print(table)`` shows the first rows, and so does a notebook.

    Parameters
    ----------
    columns : mapping of str to (rows,) array_like
        The features, at least one. Numbers and booleans are converted to float64 (numeric columns,
        NaN where missing), strings to object arrays of ``str`` (categorical columns, None where
        missing), dates to ``datetime64`` (NaT where missing; of a time zone, in UTC).
    target : (rows,) array_like, optional
        The values to predict: integers and booleans are converted to int64, other numbers to
        float64, strings to an object array of ``str``. It may have missing values too.
    target_name : str
        The name of the target.
    origin : str
        The file or data set of the rows, for messages.
    lines : (rows,) array of int, or another object that NumPy's indexing selects from, optional
        The line of each row in the file, for messages.
    weights : (rows,) array_like of numbers of at least 0, optional
        The weight of each row in losses.

    Raises
    ------
    DataError
        If there is no column, lengths differ, or a column is not one-dimensional or holds anything
        but real numbers, strings or dates, or a mixture of them.

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
    lines: Lines | None = None
    weights: Array | None = None

    def __post_init__(self) -> None:
        columns = self.columns
        if isinstance(columns, StoredColumns) and columns.is_selection:
            return  # Its values were checked with those of all rows.
        check_instance("columns", columns, Mapping)
        check_instance("origin", self.origin, str)
        if not columns:
            raise DataError(f"{self.origin}: there is no feature column")
        if isinstance(columns, LazyColumns):
            is_stored = isinstance(columns, StoredColumns)
            first = f"column {next(iter(columns))!r}" if is_stored else "the features"
            lengths = {first: columns.rows}
        else:
            stored = {
                name: _stored(values, f"{self.origin}: column {name!r}")
                for name, values in columns.items()
            }
            # The dataclass is frozen for its users; this converts its fields once.
            object.__setattr__(self, "columns", StoredColumns(stored))
            lengths = {f"column {name!r}": len(values) for name, values in stored.items()}
        if self.target is not None:
            target = _target(self.target, f"{self.origin}: target {self.target_name!r}")
            object.__setattr__(self, "target", target)
            lengths[f"target {self.target_name!r}"] = len(target)
        if self.lines is not None:
            if isinstance(self.lines, list | tuple):
                object.__setattr__(self, "lines", unmasked(self.lines, "lines"))
            if not hasattr(self.lines, "__len__") or not getattr(self.lines, "ndim", 1):
                raise TypeError(f"lines must have an entry for each row, got {shown(self.lines)}")
            lengths["lines"] = len(self.lines)
        if self.weights is not None:
            object.__setattr__(self, "weights", _weights(self.weights, self.origin, self.lines))
            lengths["weights"] = len(self.weights)
        (first, rows), *others = lengths.items()
        for name, length in others:
            if length != rows:
                raise DataError(f"{self.origin}: {name} has {length} rows, {first} has {rows}")

    def __len__(self) -> int:
        return self._lazy.rows

    def rows(self, indices: npt.ArrayLike | slice) -> Table:
        """Return a table of the rows that `indices` (integers, a mask or a slice) select.

        A column of it is only copied when it is read.
        """
        selection = indices if isinstance(indices, slice) else _row_indices(indices)
        if isinstance(selection, slice):
            index = np.arange(*selection.indices(len(self)))
        else:
            index = np.arange(len(self))[selection]
        return Table(
            self._lazy.select(index),
            None if self.target is None else self.target[selection],
            self.target_name,
            self.origin,
            RowNumbers(index) if self.lines is None else self.lines[selection],
            None if self.weights is None else self.weights[selection],
        )

    def without(self, names: Collection[str | None]) -> Table:
        """Return the table without the columns of these names."""
        left = [name for name in names if name is not None and name in self.columns]
        if not left:
            return self
        return replace(self, columns=self._lazy.without(left))

    def kind(self, name: str) -> ColumnKind:
        """Return the kind of column `name`: ``"numeric"``, ``"categorical"`` or ``"date"``.

        Raises
        ------
        DataError
            If there is no such column.
        """
        return self.column(name).kind

    def column(self, name: str) -> Column:
        """Return column `name` with its place, for messages.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.origin}: {unknown_name('column', name, self.columns)}")
        location = f"{self.origin}: column {name!r}"
        return Column(self._lazy.source(name), location, self.lines)

    @property
    def _lazy(self) -> LazyColumns:
        assert isinstance(self.columns, LazyColumns)
        return self.columns

    def __repr__(self) -> str:
        target = "" if self.target is None else f", target {self.target_name!r}"
        return (
            f"Table({count_of(len(self), 'row')}, {count_of(len(self.columns), 'column')}{target})"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{preview_of(self).text()}"

    def _repr_html_(self) -> str:
        return preview_of(self).html(repr(self), self.origin)

    @property
    def target_column(self) -> Column:
        """The target with its place, for messages; a table without one is an error."""
        location = f"{self.origin}: target {self.target_name!r}"
        if self.target is None:
            raise DataError(f"{location} is missing")
        return Column(self.target, location, self.lines)


def _row_indices(indices: npt.ArrayLike) -> Array:
    array = unmasked(indices, "indices")
    return array if array.size else array.astype(np.intp)  # NumPy makes an empty list float64.


def _stored(values: npt.ArrayLike | CodedTexts, location: str) -> Array | CodedTexts:
    return values if isinstance(values, CodedTexts) else _one_dimensional(values, location)


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


def _weights(values: npt.ArrayLike, origin: str, lines: Lines | None) -> Array:
    location = f"{origin}: weights"
    weights = _column(values, location)
    if weights.dtype != np.float64:
        raise DataError(f"{location} must hold numbers, got {preview(weights)}")
    valid = (weights >= 0) & (weights < np.inf)
    check_rows(valid, weights, location, "is not a number of at least 0", lines)
    return weights


def _one_dimensional(values: npt.ArrayLike, location: str) -> Array:
    """Return numbers and dates unchanged and strings as objects; anything else is an error."""
    try:
        array = unmasked(values, location)
    except ValueError as error:
        raise DataError(str(error)) from None
    if array.ndim != 1:
        raise DataError(f"{location} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind in "biufM":
        return array
    if array.dtype.kind not in "OTU":
        raise DataError(f"{location} must hold real numbers, strings or dates, got {array.dtype}")
    return _objects(array.astype(object, copy=False), location)


def _objects(array: Array, location: str) -> Array:
    """Return objects as strings with None, as floats with NaN, or as dates with NaT."""
    pandas = sys.modules.get("pandas")
    # pandas looks at a million strings in 10 ms, Python in 80.
    if pandas is not None and pandas.api.types.infer_dtype(array, skipna=False) == "string":
        return array
    missing = find_missing(array)
    if pandas is not None and pandas.api.types.infer_dtype(array) == "string":
        return (
            array if all(value is None for value in array[missing]) else _with_none(array, missing)
        )
    present = array[~missing] if missing.any() else array
    first = present[0] if len(present) else ""
    for noun, kinds, dtype, blank, convert in _CONVERSIONS:
        if isinstance(first, kinds):
            valid = np.fromiter((isinstance(value, kinds) for value in array), bool, len(array))
            problem = f"is not {noun}, as the values before it are"
            check_rows(valid | missing, array, location, problem)
            if convert is None and present is array:
                return array
            converted = np.full(array.shape, blank, dtype)
            converted[~missing] = present if convert is None else [*map(convert, present)]
            return converted
    raise DataError(f"{location} must hold real numbers, strings or dates, got {first!r:.80}")


def _with_none(array: Array, missing: Array) -> Array:
    array = array.copy()
    array[missing] = None
    return array


def _utc(date: Any) -> Any:
    """Return a date as NumPy's, in UTC."""
    if isinstance(date, datetime.datetime) and date.tzinfo is not None:
        date = date.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(date, "us")


# The kinds of objects that a column can hold: noun, classes, dtype, missing value and conversion.
_CONVERSIONS: tuple[tuple[str, Any, Any, Any, Callable[[Any], Any] | None], ...] = (
    ("a string", str, object, None, None),
    ("a number", (bool, int, float, np.number, np.bool_), np.float64, np.nan, float),
    ("a date", datetime.date, "datetime64[us]", np.datetime64("NaT"), _utc),
)
