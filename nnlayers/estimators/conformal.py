"""Conformal prediction intervals, from the errors on rows that a model was not trained on.

For rows that are exchangeable with the calibration rows, an interval holds the target with at least
the coverage asked for, whatever the model: on average over rows, and not for each kind of row. See
:doc:`/guide/uncertainty`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats, as_reals
from nnlayers._core.checks import check_number
from nnlayers._core.showing import shown

__all__ = ["conformal_quantile", "conformity_scores", "cv_plus_interval", "split_interval"]

# So many halvings leave 1e-15 of the range in which an end of an interval is searched.
_HALVINGS = 50


def conformity_scores(
    y: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
) -> Array:
    r"""Measure how far targets lie outside of what was predicted for them.

    .. math:: E_i = \frac{\max(l_i - y_i,\; y_i - u_i)}{s_i}

    With one prediction, l = u, these are the absolute residuals; divided by the standard deviations
    of a Gaussian network, normalised residuals; with two predicted quantiles, the scores of
    conformalised quantile regression, which are negative within them.

    Parameters
    ----------
    y : array_like, shape (n,)
        The targets.
    lower : array_like, shape (n,)
        The predictions of a model that was not trained on these rows, or of their lower quantile.
    upper : array_like, shape (n,), optional
        The predictions of the upper quantile; without it, `lower`. Where two quantiles cross, they
        change places.
    scale : array_like of numbers above 0, shape (n,), optional
        The predicted standard deviations; without it, 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        The scores, in the units of y, or of standard deviations.

    Raises
    ------
    TypeError, ValueError
        If an argument holds anything but finite numbers, or shapes differ.

    References
    ----------
    Y. Romano, E. Patterson and E. Candès, "Conformalized quantile regression", NeurIPS 2019;
    J. Lei et al., "Distribution-free predictive inference for regression", JASA 113, 2018.

    Examples
    --------
    >>> conformity_scores([1.0, 2.0], [1.5, 0.0])
    array([0.5, 2. ])
    >>> conformity_scores([1.0, 2.0], lower=[0.0, 0.0], upper=[3.0, 1.0])
    array([-1.,  1.])
    """
    targets = _finite("y", y, 1)
    low, high = _bounds(lower, upper, 1)
    _check_shape("lower", low, targets.shape, "y")
    scores: Array = np.maximum(low - targets, targets - high) / _scale(scale, targets.shape)
    return scores


def conformal_quantile(scores: npt.ArrayLike, coverage: float = 0.9) -> float:
    r"""Return the quantile of n scores that a new one is below with at least some probability.

    .. math:: \hat q = E_{(k)}, \qquad k = \lceil (n + 1)\, c \rceil

    is the k-th smallest score. The correction, n + 1 instead of n, counts the new row among the
    others; without it, intervals of few rows cover too little.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of rows that the model was not trained on, see :func:`conformity_scores`.
    coverage : float
        The probability c, above 0 and below 1.

    Returns
    -------
    float
        The quantile; infinity if there are too few scores, n < c / (1 - c).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer 2005.

    Examples
    --------
    >>> conformal_quantile([3.0, 1.0, 2.0, 4.0], coverage=0.8)
    4.0
    >>> conformal_quantile([3.0, 1.0, 2.0, 4.0], coverage=0.9)
    inf
    """
    errors = _finite("scores", scores, 1)
    rank = _rank(len(errors), coverage)
    return math.inf if rank > len(errors) else float(np.partition(errors, rank - 1)[rank - 1])


def split_interval(
    scores: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike | None = None,
    *,
    coverage: float = 0.9,
    scale: npt.ArrayLike | None = None,
) -> Array:
    r"""Return split-conformal intervals: predictions, widened by a quantile of held-out errors.

    .. math:: [\,l(x) - \hat q\, s(x),\;\; u(x) + \hat q\, s(x)\,]

    They hold the target with probability at least c, and at most c + 1 / (n + 1) if no scores are
    equal, if the rows and those of the n scores are exchangeable.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of held-out rows, see :func:`conformity_scores`.
    lower, upper : array_like, shape (rows,)
        The predictions as for the scores: one value, or the lower and the upper quantile.
    coverage : float
        The probability c.
    scale : array_like of numbers above 0, shape (rows,), optional
        The predicted standard deviations, if the scores were divided by them.

    Returns
    -------
    ndarray of float64, shape (rows, 2)
        Lower and upper ends; infinite if there are too few scores for the coverage. Where negative
        scores would make an end pass the other one, both are the middle.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes differ.

    References
    ----------
    H. Papadopoulos et al., "Inductive confidence machines for regression", ECML 2002; Y. Romano,
    E. Patterson and E. Candès, "Conformalized quantile regression", NeurIPS 2019.

    Examples
    --------
    >>> split_interval([0.1, 0.5, 0.2, 0.3], [10.0, 20.0], coverage=0.8)
    array([[ 9.5, 10.5],
           [19.5, 20.5]])
    >>> split_interval([0.1, 0.5, 0.2, 0.3], [10.0, 20.0], coverage=0.8, scale=[1.0, 4.0])
    array([[ 9.5, 10.5],
           [18. , 22. ]])
    """
    low, high = _bounds(lower, upper, 1)
    margin = conformal_quantile(scores, coverage) * _scale(scale, low.shape)
    return _joined(low - margin, high + margin)


def cv_plus_interval(
    scores: npt.ArrayLike,
    folds: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike | None = None,
    *,
    coverage: float = 0.9,
    scale: npt.ArrayLike | None = None,
) -> Array:
    r"""Return CV+ intervals, for which no rows are set aside: each is scored by another fold.

    With f(i) the fold of row i, and the model of a fold trained on all other rows,

    .. math::

        \big[\,-E_{(k)}\{-l_{f(i)}(x) + E_i\, s_{f(i)}(x)\},\;\;
        E_{(k)}\{u_{f(i)}(x) + E_i\, s_{f(i)}(x)\}\,\big], \qquad
        k = \lceil (n + 1)\, c \rceil,

    where :math:`E_{(k)}` is the k-th smallest over i. A fold for each row gives the jackknife+. The
    probability of holding the target is at least 2 c - 1 (for few folds, less some
    :math:`\sqrt{2 / n}`) and in practice about c, if the rows are exchangeable.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of all training rows, each by the model that was trained without its fold, see
        :func:`conformity_scores`.
    folds : array_like of int, shape (n,)
        The fold of each of these rows, from 0.
    lower, upper : array_like, shape (rows, folds)
        The predictions of each fold's model for the new rows.
    coverage : float
        The probability c, above 0 and below 1.
    scale : array_like of numbers above 0, shape (rows, folds), optional
        The predicted standard deviations, if the scores were divided by them.

    Returns
    -------
    ndarray of float64, shape (rows, 2)
        Lower and upper ends, as of :func:`split_interval`, which is the case of one fold.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or shapes differ.

    References
    ----------
    R. F. Barber, E. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference with the
    jackknife+", Annals of Statistics 49, 2021; for other scores than residuals, C. Gupta,
    A. K. Kuchibhotla and A. Ramdas, "Nested conformal prediction and quantile out-of-bag ensemble
    methods", Pattern Recognition 127, 2022.

    Examples
    --------
    >>> scores, folds = [0.1, 0.5, 0.2, 0.3], [0, 0, 1, 1]
    >>> cv_plus_interval(scores, folds, [[10.0, 11.0]], coverage=0.6).round(6)
    array([[ 9.9, 11.2]])
    """
    errors = _finite("scores", scores, 1)
    low, high = _bounds(lower, upper, 2)
    fold_of_row = _fold_ids(folds, len(errors), low.shape[1])
    rank, spread = _rank(len(errors), coverage), _scale(scale, low.shape)
    if rank > len(errors):
        return _joined(np.full(len(low), -np.inf), np.full(len(low), np.inf))
    by_fold = {f: np.sort(errors[fold_of_row == f]) for f in np.unique(fold_of_row).tolist()}
    # An end that is infinite, or beyond all floats, is no reason for a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        lower_ends = -_smallest(rank, -low, spread, by_fold)
        return _joined(lower_ends, _smallest(rank, high, spread, by_fold))


def _smallest(rank: int, center: Array, scale: Array, by_fold: dict[int, Array]) -> Array:
    """Return for each row the `rank`-th smallest of center + scale * score over all scores.

    Sorting the sums for each row would take rows times scores; counting those below a bound takes
    a binary search in each fold.
    """
    total = sum(map(len, by_fold.values()))
    # Of each fold the score at its share of the rank: the end is between the smallest and largest.
    shares = {f: -(-rank * len(errors) // total) for f, errors in by_fold.items()}
    sums = [center[:, f] + scale[:, f] * by_fold[f][share - 1] for f, share in shares.items()]
    below: Array = np.minimum.reduce(sums)
    above: Array = np.maximum.reduce(sums)
    for _ in range(_HALVINGS):
        middle = below + (above - below) / 2
        counts = np.zeros(len(center), np.intp)
        for f, errors in by_fold.items():
            counts += errors.searchsorted((middle - center[:, f]) / scale[:, f], side="right")
        is_enough = counts >= rank
        above, below = np.where(is_enough, middle, above), np.where(is_enough, below, middle)
    return above


def _rank(rows: int, coverage: float) -> int:
    """Return ceil((rows + 1) * coverage).

    Examples
    --------
    >>> _rank(99, 0.9), _rank(99, 0.901), _rank(99, 0.55)
    (90, 91, 55)
    """
    coverage = check_number("coverage", coverage, above=0, below=1)
    # A product such as 100 * 0.55 may be a little above the whole number that is meant.
    return math.ceil(round((rows + 1) * coverage, 9))


def _finite(name: str, values: npt.ArrayLike, axes: int) -> Array:
    """Return an argument in float64, after a check of its number of axes and its values."""
    array = as_floats(values, FLOAT64, name)
    if array.ndim != axes:
        shape = "(n,)" if axes == 1 else "(rows, folds)"
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"{name} must be finite, got {array[bad][0]}")
    return array


def _check_shape(name: str, array: Array, shape: tuple[int, ...], other: str) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape of {other}, {shape}, got {array.shape}")


def _bounds(lower: npt.ArrayLike, upper: npt.ArrayLike | None, axes: int) -> tuple[Array, Array]:
    low = _finite("lower", lower, axes)
    if upper is None:
        return low, low
    high = _finite("upper", upper, axes)
    _check_shape("upper", high, low.shape, "lower")
    return np.minimum(low, high), np.maximum(low, high)


def _scale(scale: npt.ArrayLike | None, shape: tuple[int, ...]) -> Array:
    if scale is None:
        return np.ones(shape)
    spread = _finite("scale", scale, len(shape))
    _check_shape("scale", spread, shape, "lower")
    if (spread <= 0).any():
        raise ValueError(f"scale must be above 0, got {spread[spread <= 0][0]}")
    return spread


def _fold_ids(folds: npt.ArrayLike, rows: int, count: int) -> Array:
    ids = as_reals(folds, "folds")
    _check_shape("folds", ids, (rows,), "scores")
    if rows and (ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= count):
        raise ValueError(
            f"folds must hold integers from 0 to {count - 1}, the columns of lower, "
            f"got {shown(ids)}"
        )
    return ids


def _joined(low: Array, high: Array) -> Array:
    """Return intervals from their ends; of ends that cross, both are the middle."""
    crossed = low > high
    if crossed.any():
        middle = low / 2 + high / 2
        low, high = np.where(crossed, middle, low), np.where(crossed, middle, high)
    return np.stack([low, high], axis=1)
