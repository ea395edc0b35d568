"""Validate state dictionaries, and apply changes all together or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import call
from typing import Any, TypeAlias

import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats

__all__ = ["Change", "check_names", "commit", "validated_state"]

Change: TypeAlias = Callable[[], Any]


def commit(changes: Iterable[Change]) -> None:
    """Make all changes, or none if a signal such as Ctrl-C arrives.

    Signal handlers run between the instructions of Python code and never within a call of C code.
    The changes, :func:`functools.partial` objects of functions written in C, are therefore made by
    a single call.

    Examples
    --------
    >>> from functools import partial
    >>> a, b = [], []
    >>> commit([partial(a.append, 1), partial(b.append, 2)])
    >>> a, b
    ([1], [2])
    """
    changes = list(changes)
    deque(map(call, changes), maxlen=0)


def check_names(owner: object, own: Collection[str], given: Collection[str]) -> None:
    """Raise ``ValueError`` unless a state has exactly the names of its owner's state.

    Examples
    --------
    >>> check_names(object(), ["W", "b"], ["W", "c"])
    Traceback (most recent call last):
    ValueError: state does not fit object: missing 'b', unknown 'c'
    """
    problems = [f"missing {name!r}" for name in own if name not in given]
    problems += [f"unknown {name!r}" for name in sorted(given) if name not in own]
    if problems:
        raise ValueError(f"state does not fit {type(owner).__name__}: {', '.join(problems)}")


def validated_state(
    owner: object, own: Mapping[str, Array], given: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Return the arrays of a state in the owner's dtypes, after a check of names and shapes.

    Raises
    ------
    ValueError
        If an entry is missing, unknown or of another shape.
    TypeError
        If one holds anything but real numbers.
    """
    check_names(owner, own, given)
    arrays = {name: as_floats(given[name], array.dtype, name) for name, array in own.items()}
    for name, array in arrays.items():
        if array.shape != own[name].shape:
            raise ValueError(
                f"state entry {name!r} must have shape {own[name].shape}, got {array.shape}"
            )
    return arrays
