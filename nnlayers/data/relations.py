"""Find columns that say the same as another, or that give the target away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.data.target_profile import TargetProfile

__all__ = ["equal_columns", "explained_share"]

Codes = npt.NDArray[np.intp]

# More rows than this would not change whether a column predicts the target.
_MAX_ROWS = 20_000
# Fewer errors of the constant guess than this show nothing.
_MIN_ERRORS = 10


def equal_columns(codes: Mapping[str, Codes], numeric: Mapping[str, Array]) -> dict[str, str]:
    """Return the columns whose values correspond one to one to those of another, and that other.

    Of such columns, the first of numbers stays, or else the first.

    Parameters
    ----------
    codes : mapping of str to (rows,) ndarray
        The level of each row.
    numeric : mapping of str to (rows,) ndarray
        The numbers of those that are numbers.

    Examples
    --------
    >>> codes = {"a": np.array([0, 1, 0, 1]), "b": np.array([5, 3, 5, 3])}
    >>> equal_columns(codes, {})
    {'b': 'a'}
    """
    groups: dict[bytes, list[str]] = {}
    for name, levels in codes.items():
        ordered = _in_order(levels)
        # Two columns of numbers that all differ correspond in any order; then they must be equal.
        is_distinct = ordered.max(initial=0) + 1 > len(ordered) / 2
        key = numeric[name].tobytes() if is_distinct and name in numeric else ordered.tobytes()
        groups.setdefault(key, []).append(name)
    same: dict[str, str] = {}
    for names in groups.values():
        first = next((name for name in names if name in numeric), names[0])
        same |= {name: first for name in names if name != first}
    return {name: same[name] for name in codes if name in same}


def explained_share(codes: Codes, target: TargetProfile, numbers: Array | None) -> float:
    """Return the share of the target's errors or variance that a column alone explains.

    A row is predicted from the rows of another half with its level, or with the nearest number: the
    most frequent class, or the mean.

    Parameters
    ----------
    codes : (rows,) ndarray
        The level of each row.
    target : TargetProfile
        The target.
    numbers : (rows,) ndarray or None
        The numbers of a numeric column.
    """
    rows = np.random.default_rng(0).permutation(len(codes))[:_MAX_ROWS]
    values = codes[rows].astype(np.float64) if numbers is None else _without_gaps(numbers[rows])
    y = target.codes[rows]
    middle = len(rows) // 2
    halves = (slice(0, middle), slice(middle, None)), (slice(middle, None), slice(0, middle))
    is_ordered = numbers is not None
    if target.is_class:
        counts = [_class_errors(values, y, learnt, held, is_ordered) for learnt, held in halves]
        wrong, guessed_wrong = np.sum(counts, axis=0)
        return float(1 - wrong / guessed_wrong) if guessed_wrong >= _MIN_ERRORS else 0.0
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable").astype(np.float64)
    return max(
        min(_explained_variance(values, truth, learnt, held, is_ordered) for learnt, held in halves)
        for truth in (y.astype(np.float64), ranks)
    )


def _without_gaps(numbers: Array) -> Array:
    """Return numbers with one beyond all others for the missing ones."""
    missing = np.isnan(numbers)
    if missing.all():
        return np.zeros(len(numbers))
    beyond = 2 * np.abs(numbers[~missing]).max() + 1
    return np.where(missing, beyond, numbers)


def _nearest(levels: Array, values: Array) -> Codes:
    """Return the index of the nearest of ascending levels for each value."""
    above = np.clip(np.searchsorted(levels, values), 1, max(len(levels) - 1, 1))
    if len(levels) == 1:
        return np.zeros(len(values), np.intp)
    is_lower = values - levels[above - 1] <= levels[above] - values
    return np.asarray(above - is_lower)


def _in_order(levels: Codes) -> Codes:
    """Return codes numbered in the order of their first rows."""
    _, first, codes = np.unique(levels, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.intp)
    order[np.argsort(first)] = np.arange(len(first))
    return order[codes]


def _class_errors(
    values: Array, y: Array, learnt: slice, held_out: slice, is_ordered: bool
) -> tuple[int, int]:
    """Return the number of wrong predictions, and that of the most frequent class."""
    levels, bins = np.unique(values[learnt], return_inverse=True)
    table = np.zeros((len(levels), y.max(initial=0) + 1), np.intp)
    np.add.at(table, (bins, y[learnt]), 1)
    guess = table.sum(axis=0).argmax()
    indices = _nearest(levels, values[held_out])
    is_known = is_ordered | (levels[indices] == values[held_out])
    best = np.where(is_known, table.argmax(axis=1)[indices], guess)
    true = y[held_out]
    wrong = int(np.count_nonzero(best != true))
    # A limit between two classes of a number lies anywhere between the two nearest rows.
    limits = int(np.count_nonzero(table.any(axis=0))) - 1 if is_ordered else 0
    return max(wrong - limits, 0), int(np.count_nonzero(true != guess))


def _explained_variance(
    values: Array, y: Array, learnt: slice, held_out: slice, is_ordered: bool
) -> float:
    """Return the share of the variance of held-out rows that means or interpolation explain."""
    levels, bins = np.unique(values[learnt], return_inverse=True)
    means = np.bincount(bins, y[learnt]) / np.bincount(bins)
    mean, true = y[learnt].mean(), y[held_out]
    if is_ordered:
        predicted = np.interp(values[held_out], levels, means)
    else:
        indices = _nearest(levels, values[held_out])
        predicted = np.where(levels[indices] == values[held_out], means[indices], mean)
    total = np.square(true - mean).sum()
    return float(1 - np.square(true - predicted).sum() / total) if total else 0.0
