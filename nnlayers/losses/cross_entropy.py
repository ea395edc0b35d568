"""Cross-entropies: minus the log-likelihood of classes, from their scores."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_reals, ones
from nnlayers._core.checks import check_number
from nnlayers.losses.base import ElementwiseLoss, Loss, Reduction
from nnlayers.losses.checks import (
    as_class_ids,
    as_probabilities,
    as_scores,
    as_weights,
    check_range,
)
from nnlayers.losses.weighting import apply_weights, reduce_losses, row_weights

__all__ = ["SigmoidCrossEntropy", "SoftmaxCrossEntropy"]


class SoftmaxCrossEntropy(Loss):
    r"""Softmax cross-entropy: minus the log-likelihood of the class, from scores (logits) z.

    .. math::

        \ell_i = -\sum_k c_k q_{ik} \log p_{ik}, \qquad
        p_{ik} = \frac{e^{z_{ik}}}{\sum_j e^{z_{ij}}}

    with class weights c and the target distribution q, which is 1 for the row's class and 0 for the
    others, or a row of probabilities. Label smoothing mixes it with a share :math:`\varepsilon` of
    the uniform distribution. With :math:`a_i = \sum_k c_k q_{ik}`,

    .. math:: \frac{\partial\ell_i}{\partial z_{ik}} = a_i p_{ik} - c_k q_{ik}.

    The mean is weighted: :math:`\sum_i w_i \ell_i / \sum_i w_i c_{y_i}` for classes
    :math:`y_i` and :math:`\sum_i w_i \ell_i / \sum_i w_i` for rows of probabilities.

    Parameters
    ----------
    class_weight : array_like of numbers of at least 0, shape (classes,), optional
        The class weights c; all 1 by default.
    label_smoothing : float
        The share :math:`\varepsilon`, from 0 to 1.
    reduction : {"mean", "sum"}
        Whether the rows' losses are averaged or added.

    Notes
    -----
    `prediction` has shape ``(batch, ..., classes)``; `target` holds integers of shape
    ``(batch, ...)`` or probabilities of prediction's shape. One score of infinity is a probability
    of 1; several in one row do not define a distribution and give NaN.

    References
    ----------
    C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 4.3.4; label
    smoothing: C. Szegedy et al., "Rethinking the Inception architecture for computer vision",
    CVPR 2016. PyTorch's ``CrossEntropyLoss`` has the same definitions.

    Examples
    --------
    >>> loss = SoftmaxCrossEntropy()
    >>> round(loss.forward([[0.0, 0.0], [0.0, 1000.0]], [0, 1]), 4)
    0.3466
    >>> loss.backward()
    array([[-0.25,  0.25],
           [ 0.  ,  0.  ]])
    """

    targets = "classes"

    def __init__(
        self,
        class_weight: npt.ArrayLike | None = None,
        label_smoothing: float = 0.0,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.class_weight = as_weights("class_weight", class_weight)
        if self.class_weight is not None and self.class_weight.ndim != 1:
            raise ValueError(
                f"class_weight must have shape (classes,), got {self.class_weight.shape}"
            )
        self.label_smoothing = check_number(
            "label_smoothing", label_smoothing, minimum=0, maximum=1
        )

    @np.errstate(all="ignore")
    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        scores = as_scores(prediction)
        weights = row_weights(sample_weight, scores)
        target = as_reals(target, "target")
        c = self._weights_of_classes(scores)
        # In float32, rounding the differences of scores was measured to cost 60 ulp.
        z = scores.astype(FLOAT64, "C").reshape(-1, scores.shape[-1])

        q: Array | None
        # The mean divides by the weights of the rows' classes.
        mass = None
        if target.shape == scores.shape:
            q = as_probabilities(target, z)
        else:
            y = as_class_ids(target, scores, or_probabilities=True)
            mass = None if c is None else c[y]
            q = _one_hot(y, z) if self.label_smoothing else None
        if q is not None:
            losses, slopes, total = _distribution_losses(z, self._smooth(q, c))
        else:
            losses, slopes, total = _class_losses(z, y)
            if mass is not None:
                losses, slopes = apply_weights(mass, losses), mass[:, None] * slopes

        if weights is not None:
            weights = np.broadcast_to(weights, (*scores.shape[:-1], 1)).ravel()
        value, scale, self.total_weight = reduce_losses(self.reduction, losses, weights, mass)
        self._cache = scores.shape, scores.dtype, slopes, scale / total
        return value

    @np.errstate(all="ignore")
    def backward(self) -> Array:
        shape, dtype, slopes, share = self._require_cache()
        dz: Array = slopes * share[:, None]
        return dz.reshape(shape).astype(dtype, copy=False)

    def _weights_of_classes(self, scores: Array) -> Array | None:
        if self.class_weight is None:
            return None
        if len(self.class_weight) != scores.shape[-1]:
            raise ValueError(
                f"prediction must have the {len(self.class_weight)} classes of class_weight, "
                f"got {scores.shape[-1]}"
            )
        return self.class_weight

    def _smooth(self, q: Array, c: Array | None) -> Array:
        """Return c q, the target distribution after smoothing times the class weights."""
        share = self.label_smoothing
        if share:
            q = (1 - share) * q + share / q.shape[1]
        return q if c is None else q * c


@lru_cache(maxsize=4)
def _row_starts(rows: int, columns: int) -> Array:
    """Return the indices at which rows start in a flat array, cached and read-only."""
    starts = np.arange(0, rows * columns, columns)
    starts.flags.writeable = False
    return starts


def _class_losses(z: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the losses of the rows, and the numerators and denominators of their gradients.

    With rest, the sum of e^(z_k) over the other classes, the loss is log(1 + rest / e^(z_y)). Its
    gradient is e^(z_k) / total, and -rest / total for the class itself. These are exact however
    certain the class is.
    """
    index = _row_starts(*z.shape) + y
    e = np.exp(z)
    e_flat = e.ravel()
    own = e_flat[index]
    e_flat[index] = 0
    # For rows of 10 this product takes a fifth of the time of `sum`.
    rest = e.dot(ones(e.shape[1], e.dtype))
    e_flat[index] = -rest
    losses, total = np.log1p(rest / own), rest + own
    # If e^(z_y) is smaller than this, the other exponentials may have lost digits, and a larger sum
    # may overflow when it is multiplied by weights.
    if len(z) and not (own[own.argmin()] > 1e-100 and total[total.argmax()] < 1e100):
        rows = np.flatnonzero(~((own > 1e-100) & (total < 1e100)))
        below, e[rows], rest = _below_largest(z[rows])
        losses[rows] = np.log1p(rest) - below[np.arange(len(rows)), y[rows]]
        e[rows, y[rows]] -= 1 + rest
        total[rows] = 1 + rest
    return losses, e, total


def _distribution_losses(z: Array, cq: Array) -> tuple[Array, Array, Array]:
    """Return losses, numerators and denominators for target distributions times class weights."""
    below, e, rest = _below_largest(z)
    a = cq.sum(axis=1)
    losses = a * np.log1p(rest) - apply_weights(cq, below).sum(axis=1)
    total = 1 + rest
    return losses, a[:, None] * e - cq * total[:, None], total


def _below_largest(z: Array) -> tuple[Array, Array, Array]:
    """Return z minus the largest score of each row, its exponentials, and the sum of the others.

    The sum leaves out the largest score's exponential, which is 1. No exponential overflows, and
    log(1 + sum) is exact however small the sum is.
    """
    largest = z.argmax(axis=1)[:, None]
    best = np.take_along_axis(z, largest, axis=1)
    below = z - best
    sign = np.sign(best)
    # This is NaN for NaN, and 0 even for an infinite score, where `best - best` would be NaN.
    np.put_along_axis(below, largest, sign - sign, axis=1)
    e = np.exp(below)
    others = e.copy()
    np.put_along_axis(others, largest, 0, axis=1)
    return below, e, others.sum(axis=1)


def _one_hot(y: Array, z: Array) -> Array:
    q = np.zeros_like(z)
    q[np.arange(len(y)), y] = 1
    return q


class SigmoidCrossEntropy(ElementwiseLoss):
    r"""Binary cross-entropy: minus the log-likelihood of zeros and ones, from scores (logits) z.

    .. math::

        \ell = -c\,t \log\sigma(z) - (1 - t) \log(1 - \sigma(z)), \qquad
        \frac{d\ell}{dz} = (1 - t)\,\sigma(z) - c\,t\,\sigma(-z)

    averaged over all entries. The factor c is `pos_weight`; the mean does not divide by it.

    Parameters
    ----------
    pos_weight : float or array_like, optional
        The weight c of entries with target 1. An array has the shape of a row, or of its last axes,
        such as one weight a column.
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    Notes
    -----
    Targets lie between 0 and 1; a value in between is the probability of a 1.

    References
    ----------
    C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 4.3.2.
    PyTorch's ``BCEWithLogitsLoss`` has the same definition.

    Examples
    --------
    >>> loss = SigmoidCrossEntropy()
    >>> round(loss.forward([[0.0], [1000.0]], [[1], [1]]), 4)
    0.3466
    >>> loss.backward()
    array([[-0.25],
           [ 0.  ]])
    """

    targets = "binary"

    def __init__(
        self, pos_weight: npt.ArrayLike | None = None, *, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.pos_weight = as_weights("pos_weight", pos_weight)

    def entry_losses(self, z: Array, t: Array) -> tuple[Array, Any]:
        check_range(t, 1)
        c = np.asarray(1.0 if self.pos_weight is None else self.pos_weight)
        if c.ndim and c.shape != z.shape[1:][-c.ndim :]:
            raise ValueError(
                "pos_weight must be a number or have the shape of prediction's last axes, "
                f"got {c.shape} for {z.shape}"
            )
        positive, negative = c * t, 1 - t
        e = np.exp(-np.abs(z))
        # -log sigma(z) is log(1 + e) + max(-z, 0), and -log(1 - sigma(z)) the same for -z.
        losses = (positive + negative) * np.log1p(e)
        losses += apply_weights(np.where(z < 0, positive, negative), np.abs(z))
        return losses, (z, e, positive, negative)

    def entry_slopes(self, saved: tuple[Array, Array, Array, Array]) -> Array:
        z, e, positive, negative = saved
        below = z < 0
        up, down = np.where(below, e, 1), np.where(below, 1, e)
        return np.asarray((negative * up - positive * down) / (1 + e))
