"""Temperatures that calibrate probabilities, and a measure of calibration."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, softmax

from nnlayers._core.arrays import FLOAT64, Array, as_floats, as_reals, unmasked
from nnlayers._core.checks import check_integer
from nnlayers._core.showing import shown
from nnlayers.losses.weighting import row_weights

__all__ = ["class_ids", "expected_calibration_error", "fit_temperature"]

# The largest difference of two logits of a row becomes at least the first and at most the second.
# Beyond the first all probabilities are equal; the second allows for single huge logits.
_FLATTEST, _STEEPEST = 1e-6, 1e15


def fit_temperature(
    logits: npt.ArrayLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    labels: npt.ArrayLike | None = None,
) -> float:
    r"""Return the temperature by which held-out logits are divided for the least log loss.

    .. math::

        T = \operatorname{argmin}_T \; -\sum_i w_i \log \operatorname{softmax}(z_i / T)_{y_i}

    Networks are often too sure of themselves, T > 1. A temperature changes how sure they are and
    no decision. One row is added whose two best logits differ as they do in the median row, and
    which is of either class alike. Without it, T would be 0 for rows that are all right.

    Parameters
    ----------
    logits : array_like, shape (n, classes) or (n,)
        Outputs before the softmax, or logarithms of probabilities, for rows that the network was
        not trained on; of two classes the log-odds of the second one are enough.
    y : array_like, shape (n,)
        The class of each row.
    sample_weight : array_like of numbers of at least 0, shape (n,), optional
        How much each row counts.
    labels : array_like, shape (classes,), optional
        The class of each column, such as ``model.classes_``; by default 0, 1, ...

    Returns
    -------
    float
        The temperature. It is 1 if all logits of each row are equal.

    Raises
    ------
    TypeError, ValueError
        If there are no rows, a logit is not finite, or an argument does not fit the others.

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017; J. Platt, "Probabilistic
    outputs for support vector machines", 1999, for why a row is added.

    Examples
    --------
    >>> z, y = np.array([4.0, 4.0, 4.0, -4.0]), np.array([1, 1, 0, 0])
    >>> temperature = fit_temperature(z, y)  # sure of each row, and wrong in one of four
    >>> (1 / (1 + np.exp(-z / temperature))).round(2)
    array([0.7, 0.7, 0.7, 0.3])
    """
    z = _two_columns(as_floats(logits, FLOAT64, "logits"), "logits")
    if not len(z):
        raise ValueError(f"logits must have at least one row, got shape {np.shape(logits)}")
    if not np.isfinite(z).all():
        raise ValueError(f"logits must be finite, got {z[~np.isfinite(z)][0]}")
    ids = class_ids(y, z.shape, labels, "logits")
    w = _row_weights(sample_weight, len(z))
    if not w.any():
        raise ValueError("sample_weight must have an entry above 0, got zeros")
    # Halves keep differences of the largest numbers finite.
    z = z / 2 - z.max(axis=1, keepdims=True) / 2
    widest = float(-z.min())
    if not widest:
        return 1.0
    z /= widest
    right = z[np.arange(len(z)), ids]
    gaps = -np.partition(z, -2, axis=1)[:, -2][w > 0]
    gap = float(np.median(gaps[gaps > 0])) if gaps.any() else 0.0
    added = float(w[w > 0].mean()) * gap

    def slope(log_inverse: float) -> float:
        """Return the derivative of the loss by 1 / T, which only grows."""
        inverse = math.exp(log_inverse)
        p = softmax(inverse * z, axis=1)
        return float(w @ ((p * z).sum(axis=1) - right)) + added * (expit(inverse * gap) - 0.5)

    low, high = math.log(_FLATTEST), math.log(_STEEPEST)
    if slope(low) >= 0:
        best = low
    else:
        best = high if slope(high) <= 0 else brentq(slope, low, high, xtol=1e-9)
    return 2 * widest / math.exp(best)


def expected_calibration_error(
    y: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    bins: int = 15,
) -> float:
    r"""Return the mean difference between predicted probabilities and how often they are right.

    .. math:: \text{ECE} = \sum_b \frac{n_b}{n} \, | \text{acc}_b - \text{conf}_b |

    Rows are grouped by the probability of their predicted class into intervals of equal width;
    :math:`\text{conf}_b` is the mean probability of a group, and :math:`\text{acc}_b` the share of
    its rows that are of the predicted class. It is 0 for perfect calibration, and for few rows
    above 0 by chance alone.

    Parameters
    ----------
    y : array_like, shape (n,)
        The class of each row.
    probabilities : array_like, shape (n, classes) or (n,)
        The predicted probability of each class, or of the second of two.
    sample_weight : array_like of numbers of at least 0, shape (n,), optional
        How much each row counts.
    labels : array_like, shape (classes,), optional
        The class of each column, such as ``model.classes_``; by default 0, 1, ...
    bins : int
        Number of intervals.

    Returns
    -------
    float
        The error, from 0 to 1; 0 without rows.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or does not fit the others.

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015; C. Guo et al., "On calibration of modern neural networks",
    ICML 2017, which has 15 bins.

    Examples
    --------
    >>> round(expected_calibration_error([1, 1, 0, 1], [0.8, 0.8, 0.8, 0.8]), 3)
    0.05
    """
    p = as_floats(probabilities, FLOAT64, "probabilities")
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else _two_columns(p, "probabilities")
    if not ((p >= 0) & (p <= 1 + 1e-6)).all():
        bad = p[~((p >= 0) & (p <= 1 + 1e-6))][0]
        raise ValueError(f"probabilities must be from 0 to 1, got {bad}")
    count = check_integer("bins", bins, minimum=1, maximum=1_000_000)
    hits = class_ids(y, p.shape, labels, "probabilities") == p.argmax(axis=1)
    w, confidence = _row_weights(sample_weight, len(p)), p.max(axis=1)
    if not w.any():
        return 0.0
    index = np.minimum((confidence * count).astype(np.intp), count - 1)
    gaps = np.bincount(index, w * (hits - confidence), count)
    return float(np.abs(gaps).sum() / w.sum())


def class_ids(
    y: npt.ArrayLike, shape: tuple[int, ...], labels: npt.ArrayLike | None, name: str
) -> Array:
    """Return the column of each row's class, in predictions of a name and a shape.

    Raises
    ------
    TypeError, ValueError
        If there is another number of rows or of classes, or a class has no column.
    """
    rows, classes = shape
    known = np.arange(classes) if labels is None else unmasked(labels, "labels")
    try:
        columns = {label: column for column, label in enumerate(known.tolist())}
    except TypeError:  # An array of no axes, or of objects that cannot be compared.
        columns = {}
    if known.shape != (classes,) or len(columns) < classes:
        raise ValueError(f"labels must hold {classes} different classes, got {shown(labels)}")
    given = as_reals(y, "y") if known.dtype.kind in "biuf" else unmasked(y, "y")
    if given.shape != (rows,):
        raise ValueError(
            f"y must have a class for each row of {name}, shape ({rows},), got {given.shape}"
        )
    ids = np.array([columns.get(label, -1) for label in given.tolist()], np.intp)
    if (ids < 0).any():
        raise ValueError(f"y must hold labels of {shown(known)}, got {shown(given[ids < 0][0])}")
    return ids


def _two_columns(values: Array, name: str) -> Array:
    """Return values by class, those of the first of two being 0 if only one is given."""
    if values.ndim == 1:
        return np.stack([np.zeros_like(values), values], axis=1)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"{name} must have shape (n, classes) or (n,), got {values.shape}")
    return values


def _row_weights(sample_weight: npt.ArrayLike | None, rows: int) -> Array:
    """Return the weight of each row, of which the largest is 1."""
    weights = row_weights(sample_weight, np.empty((rows, 1)))
    if weights is None:
        return np.ones(rows)
    largest = weights.max(initial=0.0)
    w: Array = weights[:, 0]
    return w / largest if largest else w
