"""Read the rows that an estimator gets as a table."""

from __future__ import annotations

import datetime
import sys
from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils import check_array

from nnlayers._core.arrays import Array, refuse_masked
from nnlayers.data import Table
from nnlayers.data.frames import frame_columns
from nnlayers.data.problems import find_missing
from nnlayers.estimators.checks import in_one_line, validate_data

__all__ = ["read_table"]


def read_table(estimator: Any, X: Any, *, is_training: bool) -> tuple[Table, set[str]]:
    """Return rows as a table, and the names of the columns that are declared as categories.

    In training the estimator's ``n_features_in_`` and ``feature_names_in_`` are set, otherwise X is
    checked against them.
    """
    refuse_masked(X, "X")
    if not _is_frame(X):
        # Each column is read several times, which is faster where it lies in one piece.
        X = np.asfortranarray(_check_rectangle(estimator, X, is_training))
        columns = {f"column {index}": _column(X[:, index]) for index in range(X.shape[1])}
        return Table(columns, origin="X"), set()
    validate_data(estimator, X, reset=is_training, skip_check_array=True)
    if not all(X.shape):
        check_array(np.empty(X.shape), estimator=estimator)  # Its error names what is missing.
    is_category = {str(name): _is_category(X[name].dtype) for name in X.columns}
    names = {name for name, declared in is_category.items() if declared}
    return Table(frame_columns(X, "X"), origin="X"), names


def _check_rectangle(estimator: Any, X: Any, is_training: bool) -> Array:
    """Return an array of shape (rows, features), which holds no infinite number."""
    with in_one_line():
        rows: Array = validate_data(
            estimator, X, reset=is_training, dtype=None, ensure_all_finite="allow-nan"
        )
    if rows.dtype.kind == "c":
        raise ValueError(f"Complex data not supported, got {rows.dtype}")
    return rows


def _column(values: Array) -> Array:
    """Return a column of an array; one of objects as numbers, if none of them is text or a date."""
    if values.dtype.kind in "SU":
        return values.astype(object)
    if values.dtype != object:
        return values
    values = values.copy()
    values[find_missing(values)] = None
    kinds = {type(value) for value in values.tolist() if value is not None}
    for kind in kinds:
        if not issubclass(kind, (str, Number, np.generic, datetime.date)):
            raise TypeError(
                "each argument must be a string, a date or a number in a column of X, "
                f"got {kind.__name__}"
            )
    if any(issubclass(kind, (str, datetime.date)) for kind in kinds):
        return values
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _is_category(dtype: Any) -> bool:
    return type(dtype).__name__ in ("CategoricalDtype", "Categorical", "Enum")


def _is_frame(X: Any) -> bool:
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    frames = [library.DataFrame for library in (pandas, polars) if library is not None]
    return isinstance(X, tuple(frames))
