"""Split rows into training, validation and test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import unmasked
from nnlayers._core.checks import check_integer, check_number
from nnlayers.data.table import DataError

__all__ = ["Split", "split"]

Indices = npt.NDArray[np.intp]


class Split(NamedTuple):
    """Row indices of the three parts, each in ascending order; every row is in one part."""

    train: Indices
    validation: Indices
    test: Indices


def split(
    rows: int,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    stratify: npt.ArrayLike | None = None,
) -> Split:
    """Split rows at random into training, validation and test.

    The sizes are the fractions of `rows`, rounded by the largest remainder, except that a part with
    a fraction above 0 has at least one row. With `stratify`, each class is split in this way, and
    the rounding errors of one class are carried over to the next. The same arguments give the same
    split.

    Parameters
    ----------
    rows : int
        The number of rows.
    validation, test : float
        Fractions in ``[0, 1)`` with a sum below 1; a part of fraction 0 is empty.
    seed : int
        Seed of the draw, at least 0.
    stratify : (rows,) array_like, optional
        The class of each row, integers or strings.

    Returns
    -------
    Split
        Three integer arrays of row indices.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    DataError
        If there are too few rows, or too few of a class, or only one class.

    References
    ----------
    The largest remainder, or Hamilton's method: M. Balinski and H. P. Young, *Fair
    Representation*, 2nd ed., 2001.

    Examples
    --------
    >>> train, validation, test = split(20, validation=0.25, test=0.1, seed=3)
    >>> len(train), len(validation), len(test)
    (13, 5, 2)
    """
    rows = check_integer("rows", rows, minimum=0)
    validation = check_number("validation", validation, minimum=0, below=1)
    test = check_number("test", test, minimum=0, below=1)
    if validation + test >= 1:
        raise ValueError(f"validation and test must sum to less than 1, got {validation} + {test}")
    fractions = np.array([1 - (validation + test), validation, test])
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    groups = {"": np.arange(rows)} if stratify is None else _classes(rows, stratify)
    parts: tuple[list[Indices], ...] = ([], [], [])
    carry = np.zeros(3)
    for name, group in groups.items():
        _check_size(name, len(group), fractions)
        quotas = len(group) * fractions + carry
        sizes = _largest_remainder(quotas)
        carry = quotas - sizes
        ends = np.cumsum(_fill_empty_parts(sizes, fractions))
        for part, piece in zip(parts, np.split(rng.permutation(group), ends[:-1]), strict=True):
            part.append(piece)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))


def _classes(rows: int, stratify: npt.ArrayLike) -> dict[str, Indices]:
    """Return the rows of each class, by its description for messages."""
    labels = unmasked(stratify, "stratify")
    if labels.shape != (rows,):
        raise ValueError(f"stratify must have shape ({rows},), got {labels.shape}")
    names, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(f"a stratified split needs two classes, there are {names.tolist()}")
    groups = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    return dict(zip((f" of class {name!r}" for name in names.tolist()), groups, strict=True))


def _check_size(name: str, size: int, fractions: npt.NDArray[np.float64]) -> None:
    used = [part for part, fraction in zip(Split._fields, fractions, strict=True) if fraction]
    if size < len(used):
        raise DataError(
            f"a split into {' and '.join(used)} needs {len(used)} rows{name}, there are {size}"
        )


def _largest_remainder(quotas: npt.NDArray[np.float64]) -> Indices:
    """Round numbers whose sum is an integer to integers with the same sum."""
    sizes = np.floor(quotas).astype(np.intp)
    missing = round(quotas.sum()) - sizes.sum()
    sizes[np.argsort(sizes - quotas, kind="stable")[:missing]] += 1
    return sizes


def _fill_empty_parts(sizes: Indices, fractions: npt.NDArray[np.float64]) -> Indices:
    """Give each part with a fraction above 0 at least one row, taken from the largest part."""
    sizes = sizes.copy()
    while (lacking := (fractions > 0) & (sizes < 1)).any():
        sizes[sizes.argmax()] -= 1
        sizes[lacking.argmax()] += 1
    return sizes
