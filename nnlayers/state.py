"""What all that goes on from a saved state asks of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy.typing as npt

from nnlayers.numerics import Array, as_floats

__all__ = ["check_names", "fitting_state"]


def check_names(owner: object, own: Collection[str], given: Collection[str]) -> None:
    """Raise ``ValueError`` unless a state has all names of its owner's, and no others.

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


def fitting_state(
    owner: object, own: Mapping[str, Array], given: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Return a state's arrays in the dtypes of the owner's, if it has their names and shapes.

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
