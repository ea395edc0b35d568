"""Make tables of rows that a Python program holds: data frames, dictionaries, lists, arrays."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, refuse_masked
from nnlayers._core.checks import check_choice, check_instance, unknown_name
from nnlayers.data.problems import DataError, check_rows, find_missing, preview
from nnlayers.data.table import ColumnKind, Table
from nnlayers.data.texts import MISSING

__all__ = ["as_column", "has_column", "table_from_rows"]

_ORIGIN = "rows"
# Readers of text files take a column that holds nothing else as numbers.
_BOOLEANS = {"true": 1.0, "false": 0.0}


def table_from_rows(rows: Any, columns: Mapping[str, ColumnKind]) -> Table:
    """Return the table of raw rows, with the given columns.

    Parameters
    ----------
    rows : DataFrame, mapping, list of mappings, or array_like
        The rows: a data frame of pandas or polars, or a structured array; a dictionary of columns;
        a list of dictionaries, one a row; or an array of shape (rows, ...) with a value for each
        of `columns`, in their order. Named columns may come in any order, and others are ignored.
    columns : mapping of str to {"numeric", "categorical", "date"}
        The columns of the training rows: :attr:`Preprocessing.columns`. Numbers and dates may be
        given as text, and categories as numbers.

    Raises
    ------
    TypeError
        If `rows` is none of these.
    DataError
        If a column is missing, or a value is not of its kind; the message names the column and the
        row.

    Examples
    --------
    >>> rows = [{"color": "red", "size": 1}, {"size": "2.5", "color": "blue", "other": None}]
    >>> table = table_from_rows(rows, {"size": "numeric", "color": "categorical"})
    >>> table.columns["size"], table.columns["color"]
    (array([1. , 2.5]), array(['red', 'blue'], dtype=object))
    """
    check_instance("columns", columns, Mapping)
    named = _named_columns(rows, list(columns))
    for name in columns:
        if name not in named:
            raise DataError(f"{_ORIGIN}: {unknown_name('column', name, named)}")
    return Table(
        {name: as_column(named[name], name, kind) for name, kind in columns.items()}, origin=_ORIGIN
    )


def has_column(rows: Any, name: str) -> bool:
    """Return whether raw rows have a column of a name.

    Examples
    --------
    >>> has_column([{"size": 1}, {"color": "red"}], "color"), has_column([[1, 2]], "color")
    (True, False)
    """
    if isinstance(rows, Sequence) and not any(isinstance(row, Mapping) for row in rows):
        return False
    dtype = getattr(rows, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.names is None:
        return False
    check_instance("name", name, str)
    return name in _named_columns(rows, [])


def as_column(values: npt.ArrayLike, name: str, kind: ColumnKind) -> Array:
    """Return a column as numbers, text or dates, with NaN, None or NaT for missing values.

    A column that was text in training may hold numbers or dates instead.

    Raises
    ------
    DataError
        If it is not one-dimensional, or a value is not of the kind.

    Examples
    --------
    >>> as_column([1, "2", None], "size", "numeric")
    array([ 1.,  2., nan])
    >>> as_column([1, 2.0, "b", True, None], "code", "categorical")
    array(['1', '2', 'b', 'True', None], dtype=object)
    """
    check_choice("kind", kind, ["numeric", "categorical", "date"])
    location = f"{_ORIGIN}: column {name!r}"
    array = _cells(values, location)
    if array.ndim != 1:
        hint = "" if array.ndim else ": a single row is a list of one dictionary"
        raise DataError(f"{location} must be one-dimensional, got shape {array.shape}{hint}")
    if kind == "categorical":
        return _texts(array)
    return _numbers(array, location) if kind == "numeric" else _dates(array, location)


def _named_columns(rows: Any, order: Sequence[str]) -> dict[str, Any]:
    """Return the columns by name, each as it came."""
    if isinstance(rows, Mapping):
        return {str(name): column for name, column in rows.items()}
    is_table = isinstance(rows, Sequence) or hasattr(rows, "__array__") or hasattr(rows, "columns")
    if isinstance(rows, str | bytes) or not is_table:
        raise TypeError(
            "rows must be a data frame, a dictionary of columns, a list of dictionaries or an "
            f"array, got {rows!r:.80}"
        )
    if hasattr(rows, "columns"):  # A data frame of pandas or polars; a column may have any name.
        return {str(name): rows[name] for name in rows.columns}
    if isinstance(rows, Sequence) and any(isinstance(row, Mapping) for row in rows):
        return _columns_of_records(rows)
    names = getattr(getattr(rows, "dtype", None), "names", None)
    if names is not None:
        return {name: rows[name] for name in names}
    return _split(_cells(rows, _ORIGIN), order)


def _columns_of_records(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the columns of dictionaries, with None where one lacks a key."""
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"rows[{index}] must be a dictionary as the others, got {row!r:.80}")
    names = dict.fromkeys(name for row in rows for name in row)
    return {str(name): [row.get(name) for row in rows] for name in names}


def _split(array: Array, order: Sequence[str]) -> dict[str, Array]:
    """Return the columns of an array of shape (rows, ...)."""
    if array.ndim == 1 and not array.size:  # an empty list, which has no width
        array = array.reshape(0, len(order))
    width = int(np.prod(array.shape[1:]))
    if array.ndim < 2 or width != len(order):
        raise DataError(
            f"{_ORIGIN}: an array must be of shape (rows, {len(order)}), one column for each of "
            f"{preview(order)}; got shape {array.shape}"
        )
    return dict(zip(order, array.reshape(len(array), width).T, strict=True))


def _cells(values: Any, location: str) -> Array:
    """Return values as an array that converts none of them, with None for pandas' missing ones."""
    try:
        refuse_masked(values, location)
        # NumPy would make text of the numbers in a list that holds both.
        array = np.asarray(values, dtype=object if isinstance(values, Sequence) else None)
    except ValueError as error:
        raise DataError(str(error).replace("\n", " ")) from None
    if array.dtype == object and hasattr(values, "isna"):
        array = array.copy()
        array[np.asarray(values.isna())] = None
    return array


def _numbers(array: Array, location: str) -> Array:
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind in "OU":
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):  # A cell is not a number, or a word for a missing one.
            pass
    parsed = [_number(cell) for cell in np.where(find_missing(array), "", array.astype(object))]
    valid = np.array([number is not None for number in parsed], bool)
    check_rows(valid, array, location, "is not a number")
    return np.array(parsed, np.float64)


def _number(cell: Any) -> float | None:
    """Return the number that a cell states, NaN for a missing one, None for anything else."""
    if isinstance(cell, numbers.Real | np.bool_):
        return float(cell)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    try:
        return float("nan") if text in MISSING else float(text)
    except ValueError:
        return _BOOLEANS.get(text.lower())


def _texts(array: Array) -> Array:
    if array.dtype.kind in "iufM":
        return array
    missing = find_missing(array)
    present = array[~missing]
    if len(present) and all(_is_value(cell) for cell in present):
        return array  # A table makes numbers or dates of these objects.
    texts = np.full(len(array), None, dtype=object)
    texts[~missing] = [_text(cell) for cell in present]
    return texts


def _is_value(cell: Any) -> bool:
    is_number = isinstance(cell, numbers.Real) and not isinstance(cell, bool | np.bool_)
    return is_number or isinstance(cell, datetime.date)


def _text(cell: Any) -> str:
    """Return a cell as a file would hold it."""
    if isinstance(cell, float) and cell.is_integer():  # Missing values make floats of integers.
        return str(int(cell))
    return str(cell)


def _dates(array: Array, location: str) -> Array:
    if array.dtype.kind not in "OU":
        return array  # A table refuses anything but dates.
    dates = np.empty(len(array), dtype=object)
    dates[:] = [_date(cell) for cell in array]
    valid = np.array([date is not None for date in dates], bool) | find_missing(array)
    check_rows(valid, array, location, "is not a date, such as '2026-03-31'")
    return dates


def _date(cell: Any) -> datetime.date | None:
    """Return the date that a cell states, None for anything else."""
    if isinstance(cell, str):
        try:
            return datetime.datetime.fromisoformat(cell)
        except ValueError:
            return None
    return cell if isinstance(cell, datetime.date) else None
