"""Number the different values of a column."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array

__all__ = ["factorize"]


def factorize(values: Array) -> tuple[list[Any], npt.NDArray[np.intp]]:
    """Return the different values, and the index of each row's value among them.

    They are in the order of their first rows. None, which stands for every missing value, is the
    last of them.

    Examples
    --------
    >>> factorize(np.array(["b", None, "a", "b"], object))
    (['b', 'a', None], array([0, 2, 1, 0]))
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None:  # It needs 20 ms for a million strings, Python 80.
        indices, found = pandas.factorize(values)
        known = found.tolist()
        indices = indices.astype(np.intp, copy=False)
    else:
        order: dict[Any, int] = {}
        items = [None if value != value else value for value in values.tolist()]  # NaN to None
        rows = (-1 if item is None else order.setdefault(item, len(order)) for item in items)
        indices = np.fromiter(rows, np.intp, len(items))
        known = list(order)
    if (indices < 0).any():
        indices[indices < 0] = len(known)
        known.append(None)
    return known, indices
