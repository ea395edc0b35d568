"""Arrays as drawings show them: numbers where they are few, else heat maps of their signs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array

__all__ = [
    "MAX_SIDE",
    "as_table",
    "block_means",
    "format_number",
    "format_numbers",
    "format_shape",
    "heat_levels",
    "is_small",
    "pooled",
    "summary",
]

MAX_SIDE = 8
_MAX_NUMBERS, _LEVELS = 6, 3


def format_number(number: Any) -> str:
    """Return a number with four digits.

    Examples
    --------
    >>> format_number(-0.0), format_number(0.731058), format_number(1e-9)
    ('0', '0.7311', '1e-09')
    """
    return f"{number + 0.0:.4g}"  # The sum turns -0 into 0.


def format_numbers(value: Any) -> str:
    """Return the numbers of a scalar or small array, four digits each, or the shape and dtype.

    Examples
    --------
    >>> format_numbers([[1.0, -0.0], [1e-9, 3.0]])
    '[[1, 0], [1e-09, 3]]'
    >>> format_numbers(np.zeros((64, 10), np.float32))
    '64 × 10 float32'
    """
    array = np.asarray(value)
    if not 0 < array.size <= _MAX_NUMBERS:
        return f"{format_shape(array.shape)} {array.dtype}"
    return _nested(array.tolist())


def _nested(numbers: Any) -> str:
    if isinstance(numbers, list):
        return f"[{', '.join(map(_nested, numbers))}]"
    return format_number(numbers)


def format_shape(shape: tuple[int, ...]) -> str:
    """Return a shape as text.

    Examples
    --------
    >>> format_shape((2, 4)), format_shape((7,)), format_shape(())
    ('2 × 4', '7', 'scalar')
    """
    return " × ".join(map(str, shape)) or "scalar"


def is_small(array: Array) -> bool:
    """Return whether an array is shown by its numbers: at most 8 by 8, or as many in a stack."""
    return 0 < array.size <= MAX_SIDE**2 and max(array.shape[-2:], default=1) <= MAX_SIDE


def summary(array: Array) -> str:
    """Return the shape, dtype, range and mean of an array.

    Examples
    --------
    >>> summary(np.arange(100.0))
    '100 float64, from 0 to 99, mean 49.5'
    """
    text = f"{format_shape(array.shape)} {array.dtype}"
    with np.errstate(all="ignore"):
        is_finite = bool(np.isfinite(array.sum(dtype=np.float64)))
    finite = array if is_finite else array[np.isfinite(array)]
    if finite.size:
        numbers = [finite.min(), finite.max(), finite.mean(dtype=np.float64)]
        low, high, mean = map(format_number, numbers)
        text += f", from {low} to {high}, mean {mean}"
    odd = array.size - finite.size
    return text + (f", {odd} infinite or NaN" if odd else "")


def as_table(array: Array) -> Array:
    """Return an array as rows and columns: a vector as a row, a stack as one matrix after another.

    Examples
    --------
    >>> as_table(np.zeros((2, 3, 4))).shape
    (6, 4)
    """
    columns = array.shape[-1] if array.ndim else 1
    return array.reshape(-1 if columns else 0, columns)


def pooled(array: Array, rows: int, columns: int) -> Array:
    """Return a table of at most so many blocks, each its entry of the largest magnitude.

    Examples
    --------
    >>> pooled(np.array([1.0, -5.0, 2.0, 3.0]), 1, 2)
    array([[-5.,  3.]])
    """
    return _pooled_rows(_pooled_rows(as_table(array), rows).T, columns).T


def _pooled_rows(table: Array, most: int) -> Array:
    length = len(table)
    if length <= most:
        return table
    bounds = np.arange(most + 1) * length // most
    blocks = [table[start:end] for start, end in pairwise(bounds)]
    # Reductions of one block at a time take half of the time of reduceat.
    high = np.array([block.max(axis=0) for block in blocks])
    low = np.array([block.min(axis=0) for block in blocks])
    return np.where(-low > high, low, high)


def block_means(array: Array, rows: int, columns: int) -> Array:
    """Return a table of at most so many blocks, each the mean of its entries.

    Examples
    --------
    >>> block_means(np.array([1.0, -5.0, 2.0, 4.0]), 1, 2)
    array([[-2.,  3.]])
    """
    return _means_of_rows(_means_of_rows(as_table(array), rows).T, columns).T


def _means_of_rows(table: Array, most: int) -> Array:
    length = len(table)
    if length <= most:
        return table
    bounds = np.arange(most + 1) * length // most
    sums = np.add.reduceat(table, bounds[:-1], axis=0)
    means: Array = sums / np.diff(bounds)[:, None].astype(table.dtype)
    return means


def heat_levels(table: Array, levels: int = _LEVELS) -> Array:
    """Return an integer for the size and sign of each entry, 0 near zero, and `levels` + 1 for NaN.

    Examples
    --------
    >>> heat_levels(np.array([[-2.0, 0.1, 1.0, np.inf, np.nan]]))
    array([[-3,  0,  2,  3,  4]])
    """
    table = np.asarray(table, np.float64)
    largest = np.abs(table[np.isfinite(table)]).max(initial=0.0) or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(np.clip(table / largest, -1, 1) * levels)
    return np.where(np.isnan(scaled), levels + 1, scaled).astype(int)
