"""Validate state dictionaries, and apply changes all together or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import call
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.checks import check_instance
from nnlayers._core.showing import shown

__all__ = [
    "Change",
    "check_finite",
    "check_names",
    "commit",
    "read_count",
    "read_scalar",
    "validated_state",
]

Change: TypeAlias = Callable[[], Any]

T = TypeVar("T", int, float)


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


def check_finite(state: Mapping[str, npt.ArrayLike]) -> None:
    """Raise ``ValueError`` if weights or state that come from elsewhere are NaN or infinite.

    Examples
    --------
    >>> check_finite({"W": np.ones(3), "b": np.array([0, np.inf])})
    Traceback (most recent call last):
    ValueError: entry 'b' holds NaN or infinite values; pass allow_nonfinite=True to load it \
nevertheless
    """
    for name, array in ((name, np.asarray(item)) for name, item in state.items()):
        # The sum of the extremes is NaN or infinite if an entry is, and needs no temporary array.
        if array.dtype.kind == "f" and array.size and not np.isfinite(array.min() + array.max()):
            if np.isfinite(array).all():
                continue
            raise ValueError(
                f"entry {name!r} holds NaN or infinite values; pass allow_nonfinite=True to load "
                "it nevertheless"
            )


def check_names(owner: object, expected: Collection[str], names: Collection[str]) -> None:
    """Raise ``ValueError`` unless the names of a state are those that its owner expects.

    Examples
    --------
    >>> check_names(object(), ["W", "b"], ["W", "c"])
    Traceback (most recent call last):
    ValueError: state does not fit object: missing 'b', unknown 'c'
    """
    problems = [f"missing {name!r}" for name in expected if name not in names]
    problems += [
        f"unknown {shown(name)}" for name in sorted(names, key=str) if name not in expected
    ]
    if problems:
        raise ValueError(f"state does not fit {type(owner).__name__}: {', '.join(problems)}")


def read_scalar(state: Mapping[str, npt.ArrayLike], name: str, kind: type[T]) -> T:
    """Return an entry of a state that holds one number.

    Raises
    ------
    ValueError
        If it holds anything else, or a number that is not of the kind.

    Examples
    --------
    >>> read_scalar({"wait": np.array(3)}, "wait", int)
    3
    >>> read_scalar({"wait": 0.5}, "wait", int)
    Traceback (most recent call last):
    ValueError: state entry 'wait' must be one int, got 0.5
    """
    try:
        value = np.asarray(state[name])
        if value.dtype.kind in "iuf" and (kind is float or value == np.floor(value)):
            return kind(value.item())
    except (OverflowError, ValueError):
        pass
    found = f"{state[name]!r:.80}"
    raise ValueError(f"state entry {name!r} must be one {kind.__name__}, got {found}")


def read_count(
    state: Mapping[str, npt.ArrayLike], name: str, most: int = np.iinfo(np.int64).max
) -> int:
    """Return an entry of a state that holds a number of things, at most `most`.

    Raises
    ------
    ValueError
        If it holds anything else.

    Examples
    --------
    >>> read_count({"step": -1}, "step", 9)
    Traceback (most recent call last):
    ValueError: state entry 'step' must be from 0 to 9, got -1
    """
    count = read_scalar(state, name, int)
    if not 0 <= count <= most:
        raise ValueError(f"state entry {name!r} must be from 0 to {most}, got {count}")
    return count


def validated_state(
    owner: object, current: Mapping[str, Array], state: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Return a state in the dtypes of the owner's current one, after a check of names and shapes.

    Raises
    ------
    ValueError
        If an entry is missing, unknown, of another shape or not of integers where they are needed.
    TypeError
        If one holds anything but real numbers, or `state` is not a dictionary.
    """
    check_instance("state", state, Mapping)
    check_names(owner, current, state)
    with np.errstate(invalid="ignore"):  # NaN is no integer, which the comparison below finds.
        arrays = {
            name: as_floats(state[name], array.dtype, name) for name, array in current.items()
        }
    for name, array in arrays.items():
        if array.shape != current[name].shape:
            raise ValueError(
                f"state entry {name!r} must have shape {current[name].shape}, got {array.shape}"
            )
        if array.dtype.kind != "f" and not np.array_equal(array, np.asarray(state[name])):
            raise ValueError(
                f"state entry {name!r} must hold {array.dtype.name}, got other numbers"
            )
    return arrays
