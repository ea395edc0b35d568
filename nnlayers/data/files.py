"""Read tables of rows from files and from DataFrames.

Each function returns a :class:`~nnlayers.data.Table`. A relative path is relative to the working
directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import (
    check_boolean,
    check_instance,
    check_path,
    check_strings,
    unknown_name,
)
from nnlayers.data.archives import npz_arrays, npz_columns
from nnlayers.data.arrow import read_arrow
from nnlayers.data.compression import plain_suffix
from nnlayers.data.delimited import parse_numbers, read_delimited
from nnlayers.data.dialect import Dialect
from nnlayers.data.frames import frame_columns
from nnlayers.data.mapped import load_array, matrix_columns
from nnlayers.data.problems import DataError, Lines, check_rows, find_missing
from nnlayers.data.table import ColumnKind, Table

__all__ = ["csv", "feather", "from_frame", "npy", "npz", "parquet", "read_rows"]

Columns: TypeAlias = dict[str, Any]  # Each an array or CodedTexts.
Kinds: TypeAlias = Mapping[str, ColumnKind] | None


def csv(
    path: str,
    target: str,
    *,
    weights: str | None = None,
    categorical: tuple[str, ...] = (),
    separator: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    quote: str = '"',
    comment: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    missing: tuple[str, ...] = (),
) -> Table:
    """Read a delimited text file, compressed or not, by pandas.

    A column is numeric if its cells are numbers, or all ``True`` or ``False``, and otherwise text;
    a target of integers gives integer classes. A blank cell, or one such as ``?``, ``NA`` or
    ``null``, is a missing value. Blanks before a cell, blank lines and rows without any value are
    skipped. The suffixes ``.gz``, ``.bz2``, ``.xz``, ``.zip``, ``.zst`` and ``.tar`` say that a
    file is compressed; its content may be 16 MB and 100 times the size of the file.

    Parameters
    ----------
    path : str
        The file.
    target : str
        The column to predict.
    weights : str, optional
        The column of the rows' weights in losses, which is not a feature.
    categorical : tuple of str
        Columns whose cells are text, even if they look like numbers or missing values;
        only a blank cell is missing.
    separator : str, optional
        The character between two cells. By default ``,``, ``;``, a tab or ``|``, if only one of
        them divides all of the first lines alike.
    decimal : str
        The decimal point.
    thousands : str, optional
        The character that groups the digits of a number.
    quote : str
        The character around a cell that holds the separator or a line break; doubled within.
    comment : str, optional
        The character that begins a comment, which ends with the line.
    encoding : str
        The encoding, as Python names it. A file that begins with the mark of UTF-16 or UTF-32 is
        read as that.
    header : bool
        Whether the first line names the columns. Without it, they are ``column 1``,
        ``column 2``, ...
    missing : tuple of str
        Further cells that are missing values, such as ``-999``.

    Raises
    ------
    TypeError, ValueError
        If one is not a character, two are the same, or there is no such encoding.
    DataError
        If the file cannot be read as described; the message names the line and the column.
    ModuleNotFoundError
        Without pandas; for a ``.zst`` file, without pyarrow.
    """
    path = _as_text("path", path)
    header = check_boolean("header", header)
    dialect = Dialect(separator, decimal, thousands, quote, comment, encoding, header, missing)
    categorical = check_strings("categorical", categorical, "names of columns")
    needed = _strings(target=target, weights=weights)
    columns, lines = read_delimited(path, dialect, needed=needed, text=categorical)
    return _with_target(columns, target, path, weights, lines)


def parquet(path: str, target: str, *, weights: str | None = None) -> Table:
    """Read a Parquet file by pyarrow.

    Numbers and booleans are numeric columns, text and dictionaries are text, and dates are dates;
    null is a missing value.

    Parameters
    ----------
    path : str
        The file.
    target : str
        The column to predict.
    weights : str, optional
        The column of the rows' weights in losses, which is not a feature.

    Raises
    ------
    DataError
        If the file cannot be read, lacks the target, has no rows, or holds a column of another
        type.
    ModuleNotFoundError
        Without pyarrow.
    """
    path = _as_text("path", path)
    _strings(target=target, weights=weights)
    return _with_target(read_arrow(path, "parquet"), target, path, weights)


def feather(path: str, target: str, *, weights: str | None = None) -> Table:
    """Read a Feather file, which is the file format of Arrow, by pyarrow.

    Parameters, columns and errors are those of :func:`parquet`.
    """
    path = _as_text("path", path)
    _strings(target=target, weights=weights)
    return _with_target(read_arrow(path, "feather"), target, path, weights)


def npz(path: str, *, features: str = "X", target: str = "y", weights: str | None = None) -> Table:
    """Read arrays of an .npz archive; nothing is unpickled.

    Parameters
    ----------
    path : str
        The file.
    features : str
        The key of the features, an array of shape (rows, ...): columns ``X[0]``, ``X[1]``, ... in
        C order.
    target : str
        The key of the target, of shape (rows,) or (rows, 1): numbers or strings.
    weights : str, optional
        The key of the rows' weights in losses, of shape (rows,).

    Raises
    ------
    DataError
        If the file cannot be read or lacks an array, or an array does not fit.
    """
    path = _as_text("path", path)
    keys = _strings(features=features, target=target, weights=weights)
    arrays = npz_arrays(path, keys)
    labels = _one_column(arrays[target])
    columns = npz_columns(path, features, arrays[features])
    weight = None if weights is None else arrays[weights]
    return Table(columns, labels, target, path, weights=weight)


def npy(path: str, target: str, *, weights: str | None = None) -> Table:
    """Read features and target from .npy files, which may be larger than memory.

    Features of more than 2**27 numbers stay in their file, of which a part is read at a time. Their
    preparation is then fitted to rows drawn evenly from the training rows, and the prepared
    features are written to a temporary file, so that training takes no more memory than a batch.

    Parameters
    ----------
    path : str
        The file of the features, of shape (rows, ...): columns ``X[0]``, ``X[1]``, ... in C order.
    target : str
        The file of the target, of shape (rows,) or (rows, 1): numbers or strings.
    weights : str, optional
        The file of the rows' weights in losses, of shape (rows,).

    Raises
    ------
    DataError
        If a file cannot be read, or an array does not fit.
    """
    path, target = _as_text("path", path), _as_text("target", target)
    columns = matrix_columns(path, "X", load_array(path))
    weight = None if weights is None else load_array(_as_text("weights", weights))
    labels = _one_column(load_array(target))
    return Table(columns, labels, Path(target).stem, path, weights=weight)


def from_frame(frame: Any, target: str | None = None, *, weights: str | None = None) -> Table:
    """Return the rows of a pandas or polars DataFrame.

    Numbers and booleans become numeric columns, text and categories text, dates dates; NaN, None
    and null are missing values. The index of a pandas DataFrame is left out.

    Parameters
    ----------
    frame : pandas.DataFrame or polars.DataFrame
        The rows.
    target : str, optional
        The column to predict.
    weights : str, optional
        The column of the rows' weights in losses, which is not a feature.

    Raises
    ------
    TypeError
        If it is no DataFrame.
    DataError
        If there is no such column, two columns have one name, or one holds anything but real
        numbers, text or dates.

    Examples
    --------
    >>> import pandas
    >>> frame = pandas.DataFrame({"size": [1.0, None], "color": ["red", "blue"], "y": [3, 4]})
    >>> table = from_frame(frame, "y")
    >>> table.columns["size"], table.target
    (array([ 1., nan]), array([3, 4]))
    """
    columns = frame_columns(frame, "DataFrame")
    if target is not None:
        _strings(target=target, weights=weights)
    return _with_target(columns, target, "DataFrame", weights)


def read_rows(
    path: str,
    columns: Kinds = None,
    *,
    separator: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    quote: str = '"',
    comment: str | None = None,
    encoding: str = "utf-8",
    header: bool = True,
    missing: tuple[str, ...] = (),
) -> Table:
    """Read rows without a target, for prediction or to look at.

    Parameters
    ----------
    path : str
        A file that ends in ``.csv``, ``.tsv`` or ``.txt``, compressed or not, ``.parquet``,
        ``.feather``, ``.arrow``, ``.npz`` or ``.npy``.
    columns : mapping of str to {"numeric", "categorical", "date"}, optional
        The columns to read, such as those of the training rows: :attr:`Preprocessing.columns`; by
        default all, with their kinds as they come. Other columns of the file are ignored. In an
        .npz archive, the columns ``X[0]``, ``X[1]``, ... are those of the array ``X``; in an .npy
        file, of its only one.
    separator, decimal, thousands, quote, comment, encoding, header, missing
        The dialect of a text file, as in :func:`csv`.

    Raises
    ------
    TypeError, ValueError
        If an argument of the dialect is out of range.
    DataError
        If the file is of another format or cannot be read, a column is missing, or a cell of a
        numeric column is not a number.
    ModuleNotFoundError
        Without pandas, or without pyarrow for its formats; .npz archives need neither.
    """
    path = _as_text("path", path)
    if columns is not None:
        check_instance("columns", columns, Mapping)
    suffix = plain_suffix(path)
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise DataError(f"{path}: rows are read from {known} files, not from {suffix!r}")
    header = check_boolean("header", header)
    dialect = Dialect(separator, decimal, thousands, quote, comment, encoding, header, missing)
    return _READERS[suffix](path, columns, dialect)


def _read_text(path: str, kinds: Kinds, dialect: Dialect) -> Table:
    text = [name for name, kind in (kinds or {}).items() if kind != "numeric"]
    only = None if kinds is None else list(kinds)
    columns, lines = read_delimited(path, dialect, text=text, only=only)
    for name, kind in (kinds or {}).items():
        cells = np.asarray(columns[name])
        if kind == "numeric" and cells.dtype == object:
            valid = np.isfinite(parse_numbers(cells)) | find_missing(cells)
            problem = "is not a finite number"
            check_rows(valid, cells, f"{path}: column {name!r}", problem, lines)
    return Table({name: columns[name] for name in kinds or columns}, origin=path, lines=lines)


def _read_parquet(path: str, kinds: Kinds, dialect: Dialect) -> Table:
    return Table(read_arrow(path, "parquet", kinds), origin=path)


def _read_feather(path: str, kinds: Kinds, dialect: Dialect) -> Table:
    return Table(read_arrow(path, "feather", kinds), origin=path)


def _read_npz(path: str, kinds: Kinds, dialect: Dialect) -> Table:
    names = None if kinds is None else [name.rpartition("[")[0] or name for name in kinds]
    present: dict[str, Array] = {}
    for key, array in npz_arrays(path, names and list(dict.fromkeys(names))).items():
        present |= npz_columns(path, key, array)
    _check_numeric(path, kinds, present)
    return Table({name: present[name] for name in kinds or present}, origin=path)


def _read_npy(path: str, kinds: Kinds, dialect: Dialect) -> Table:
    columns = matrix_columns(path, "X", load_array(path))
    _check_numeric(path, kinds, columns)
    return Table(columns, origin=path)


def _check_numeric(path: str, kinds: Kinds, present: Collection[str]) -> None:
    for name, kind in (kinds or {}).items():
        if name not in present:
            raise DataError(f"{path}: {unknown_name('column', name, present)}")
        if kind != "numeric":
            raise DataError(f"{path}: column {name!r} must hold text, got numbers")


_READERS: dict[str, Callable[[str, Kinds, Dialect], Table]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".parquet": _read_parquet,
    ".feather": _read_feather,
    ".arrow": _read_feather,
    ".npy": _read_npy,
    ".npz": _read_npz,
}


def _strings(**names: str | None) -> list[str]:
    """Return the names that are given, checked to be strings."""
    for argument, name in names.items():
        if name is not None or argument != "weights":
            check_instance(argument, name, str)
    return [name for name in names.values() if name is not None]


def _as_text(name: str, path: str | os.PathLike[str]) -> str:
    """Return a path as text, which messages quote; an integer would be an open file to Python."""
    check_path(name, path)
    return os.fspath(path)


def _one_column(labels: Array) -> Array:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _with_target(
    columns: Columns,
    target: str | None,
    origin: str,
    weights: str | None = None,
    lines: Lines | None = None,
) -> Table:
    """Return a table of the columns, of which one is the target and one holds the weights."""
    for name in (target, weights):
        if name is not None and name not in columns:
            raise DataError(f"{origin}: {unknown_name('column', name, columns)}")
    if target is not None and target == weights:
        raise DataError(f"{origin}: column {target!r} cannot be both the target and the weights")
    weight = None if weights is None else np.asarray(columns.pop(weights))
    if target is None:
        return Table(columns, origin=origin, lines=lines, weights=weight)
    labels = np.asarray(columns.pop(target))
    if labels.dtype == np.bool_:
        labels = np.where(labels, "True", "False").astype(object)
    return Table(columns, labels, target, origin, lines, weight)
