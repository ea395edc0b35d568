"""Encode the columns of a table side by side, a part of the rows at a time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.data.batches import batches
from nnlayers.data.encoders import Categories, Encoder
from nnlayers.data.table import Column, Remarks, Table
from nnlayers.data.workers import column_workers

__all__ = ["encode_columns"]

# The numbers of rows and of features that are encoded at a time. What lies between a column and its
# features then stays in the cache, and memory that is taken and given back stays with the process.
_FEWEST_ROWS, _MOST_ROWS, _CELLS = 1 << 8, 1 << 14, 1 << 20


def encode_columns(encoders: Mapping[str, Encoder], table: Table, encoded: Array) -> None:
    """Write the features of each column into `encoded`, from left to right.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        The encoder of each column by its name.
    table : Table
        The rows.
    encoded : (rows, features) ndarray of float32 or float64
        The array to fill.

    Raises
    ------
    DataError
        If a column is missing, or a value does not fit its encoder, or the dtype.
    """
    size = max(_FEWEST_ROWS, min(_MOST_ROWS, _CELLS // max(encoded.shape[1], 1)))
    with column_workers(encoded.size) as run:
        parts = run(partial(_encode_rows, encoders, table, encoded), batches(len(table), size))
        remarks: dict[str, Remarks] = {}
        for part in parts:
            for name, found in part.items():
                remarks.setdefault(name, Remarks()).add(found.counts, found.describe)
    for name, found in remarks.items():
        location = table.column(name).location
        warnings.warn(f"{location} {found.describe(found.counts)}", stacklevel=3)


def _encode_rows(
    encoders: Mapping[str, Encoder], table: Table, encoded: Array, rows: slice
) -> dict[str, Remarks]:
    """Write the features of some rows, and return what is unusual about their columns."""
    part = table.rows(rows)
    # Columns side by side, and one copy to rows, take half the time of a strided copy for each.
    features = np.empty((encoded.shape[1], len(part)), encoded.dtype)
    unusual = {}
    start = 0
    for name, encoder in encoders.items():
        remarks = Remarks()
        column = replace(part.column(name), remarks=remarks)
        with np.errstate(over="ignore"):
            stop = start + encoder.width
            features[start:stop] = encoder.encode(column).T
        if not isinstance(encoder, Categories):
            _check_finite(column, features[start:stop])
        if remarks.counts:
            unusual[name] = remarks
        start = stop
    encoded[rows] = features.T
    return unusual


def _check_finite(column: Column, block: Array) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        problem = f"is out of range when it is scaled as {block.dtype}"
        column.check(np.asarray(finite.all(axis=0)), problem)
