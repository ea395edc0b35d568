"""Validate axes, sizes and lists of sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nnlayers._core.checks import check_integer, is_iterable
from nnlayers._core.showing import shown

__all__ = ["check_axis", "check_integers", "check_single_axis", "fits_memory"]

_MOST_AXES = 64  # of an array of NumPy

# NumPy has no class of its own for the error of a size that no address can reach.
_TOO_LARGE = ("array is too big", "Maximum allowed", "maximum supported dimension")


def check_axis(axis: Any, name: str = "axis") -> int | tuple[int, ...] | None:
    """Return `axis` as NumPy takes it: an ``int``, a tuple of them, or None for all axes.

    Raises
    ------
    TypeError
        If it is none of these; a list counts as a tuple.
    ValueError
        If an axis is beyond the largest number of axes of an array.

    Examples
    --------
    >>> check_axis([0, -1])
    (0, -1)
    """
    try:
        if isinstance(axis, list | tuple):
            return tuple([check_single_axis(entry, name) for entry in axis])
        return None if axis is None else check_single_axis(axis, name)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, a tuple of integers or None, got {shown(axis)}"
        ) from None


def check_single_axis(axis: Any, name: str = "axis") -> int:
    """Return `axis` as an ``int``, or raise an error that names the argument.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is beyond the largest number of axes of an array.

    Examples
    --------
    >>> check_single_axis(64)
    Traceback (most recent call last):
    ValueError: axis must be from -64 to 63, got 64
    """
    number = check_integer(name, axis)
    if not -_MOST_AXES <= number < _MOST_AXES:
        raise ValueError(f"{name} must be from {-_MOST_AXES} to {_MOST_AXES - 1}, got {number}")
    return number


def check_integers(name: str, values: Any, minimum: int | None = None) -> list[int]:
    """Return integers as a list, or raise an error that names the argument.

    Raises
    ------
    TypeError
        If `values` is not a list or other iterable of integers.
    ValueError
        If one is below `minimum`.

    Examples
    --------
    >>> check_integers("sizes", "12")
    Traceback (most recent call last):
    TypeError: sizes must be a list of integers, got '12'
    """
    if isinstance(values, str | bytes | bytearray | Mapping) or not is_iterable(values):
        raise TypeError(f"{name} must be a list of integers, got {shown(values)}")
    if getattr(values, "ndim", 1) != 1:
        raise ValueError(f"{name} must be a flat list of integers, got {shown(values)}")
    return [check_integer(name, value, minimum) for value in values]


@contextmanager
def fits_memory(**sizes: Any) -> Iterator[None]:
    """Turn errors of NumPy for arrays that are too large into one that names the arguments.

    Raises
    ------
    ValueError
        If an array within the block does not fit in memory.

    Examples
    --------
    >>> import numpy as np
    >>> with fits_memory(rows=2**62):
    ...     np.ones(2**62)
    Traceback (most recent call last):
    ValueError: rows=4611686018427387904 is too large: the arrays do not fit in memory
    """
    try:
        yield
    except (MemoryError, ValueError) as error:
        if isinstance(error, ValueError) and not str(error).startswith(_TOO_LARGE):
            raise
        given = " and ".join(f"{name}={shown(size)}" for name, size in sizes.items())
        verb = "is" if len(sizes) == 1 else "are"
        raise ValueError(f"{given} {verb} too large: the arrays do not fit in memory") from error
