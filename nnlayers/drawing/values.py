"""Arrays in few characters: numbers where there are few, else the shape."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MOST_NUMBERS", "shortened"]

MOST_NUMBERS = 6


def shortened(value: Any) -> str:
    """Return the numbers of a scalar or small array, four digits each, or the shape and dtype.

    Examples
    --------
    >>> shortened(0.731058)
    '0.7311'
    >>> shortened([[1.0, -0.0], [1e-9, 3.0]])
    '[[1, 0], [1e-09, 3]]'
    >>> shortened(np.zeros((64, 10), np.float32))
    '(64, 10) float32'
    """
    array = np.asarray(value)
    if not 0 < array.size <= MOST_NUMBERS:
        return f"{array.shape} {array.dtype}"
    return _written(array.tolist())


def _written(numbers: Any) -> str:
    if isinstance(numbers, list):
        return f"[{', '.join(_written(entry) for entry in numbers)}]"
    return f"{numbers + 0.0:.4g}"  # the sum makes -0 a 0
