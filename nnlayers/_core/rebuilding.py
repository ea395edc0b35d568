"""Rebuild layers for stored weights, without drawing initial values and within a size limit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_finite

__all__ = ["check_constant", "full", "rebuilding", "reserve"]


class _Budget:
    """Number of weights, and of arrays of them, that may still be allocated."""

    def __init__(self, entries: int, arrays: float, allow_nonfinite: bool) -> None:
        self.entries = self.left = entries
        self.arrays_left = arrays
        self.allow_nonfinite = allow_nonfinite


# Each thread and task has its own limit, like NumPy's `errstate`.
_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def rebuilding(
    entries: int, arrays: float = math.inf, *, allow_nonfinite: bool = True
) -> Iterator[None]:
    """Make layers for at most `entries` stored weights, which are read afterwards.

    Initial values are not drawn, which would take longer than reading the stored ones. A layer
    with more weights is refused before its memory is allocated, as are layers with more than
    `arrays` arrays of weights, and unless they are allowed, constants that are NaN or infinite.

    Examples
    --------
    >>> import nnlayers as nn
    >>> with rebuilding(100):
    ...     nn.Affine(10**6, 10**6)
    Traceback (most recent call last):
    ValueError: an array of shape (1000000, 1000000) is larger than all that the model may have, \
100 weights
    """
    token = _budget.set(_Budget(entries, arrays, allow_nonfinite))
    try:
        yield
    finally:
        _budget.reset(token)


def reserve(shape: tuple[int, ...]) -> bool:
    """Count weights before they are allocated; return whether stored values will replace them.

    Raises
    ------
    ValueError
        If they exceed the number that the file can hold.

    Examples
    --------
    >>> reserve((2, 3))
    False
    """
    budget = _budget.get()
    if budget is None:
        return False
    budget.left -= math.prod(shape)
    budget.arrays_left -= 1
    if budget.left < 0:
        raise ValueError(
            f"an array of shape {shape} is larger than all that the model may have, "
            f"{budget.entries} weights"
        )
    if budget.arrays_left < 0:
        raise ValueError("it has more arrays of weights than are stored")
    return True


def check_constant(name: str, value: npt.ArrayLike) -> None:
    """Raise ``ValueError`` for a constant of a file that is NaN or infinite, unless it may be.

    Examples
    --------
    >>> with rebuilding(100, allow_nonfinite=False):
    ...     check_constant("b", [0.0, math.nan])
    Traceback (most recent call last):
    ValueError: entry 'b' holds NaN or infinite values; pass allow_nonfinite=True to load it \
nevertheless
    """
    budget = _budget.get()
    if budget is not None and not budget.allow_nonfinite:
        check_finite({name: value})


def full(size: int, value: float, dtype: np.dtype[np.floating]) -> Array:
    """Return an array of one number, counted by :func:`reserve`.

    Examples
    --------
    >>> full(2, 0.25, np.dtype(np.float32))
    array([0.25, 0.25], dtype=float32)
    """
    reserve((size,))
    return np.full(size, value, dtype)
