"""Objectives of the estimators: scikit-learn's losses, class weights and penalty."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp, xlogy
from sklearn.utils.class_weight import compute_class_weight

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.showing import shown
from nnlayers.estimators.networks import SparseInput
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import (
    GaussianNLL,
    Hinge,
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    SoftmaxCrossEntropy,
)
from nnlayers.losses.base import ElementwiseLoss

__all__ = [
    "CLASSIFICATION",
    "REGRESSION",
    "BoundedSigmoid",
    "BoundedSoftmax",
    "HalfPoissonDeviance",
    "HalfSquaredError",
    "PenalizedLoss",
    "classification",
    "gradient",
    "is_penalized",
    "penalize",
    "regression",
    "weights_by_class",
]


# The number of weights that are penalised at a time: a step of 512 x 512 took a tenth longer with
# all of them at once.
BLOCK = 8192


class BoundedSigmoid(ElementwiseLoss):
    r"""Log-loss of zeros and ones whose probabilities are at least eps, as in scikit-learn.

    .. math:: \ell = -t \log p - (1 - t) \log(1 - p), \qquad \frac{d\ell}{dz} = p - t, \qquad
        p = \sigma(z)

    added over the outputs and averaged over the rows. For p near 1, :math:`1 - p` has few digits,
    and the line search of L-BFGS depends on all of them. :class:`nnlayers.SigmoidCrossEntropy`
    is the exact loss.

    Examples
    --------
    >>> loss = BoundedSigmoid()
    >>> round(loss.forward([[0.0], [1000.0]], [[1.0], [0.0]]), 4), loss.backward()
    (18.3684, array([[-0.25],
           [ 0.5 ]]))
    """

    targets = "binary"

    def entry_losses(self, z: Array, t: Array) -> tuple[Array, Any]:
        """Return the loss of each entry, and what `entry_slopes` needs."""
        p = expit(z)
        eps = np.finfo(z.dtype).eps
        # This takes a third of the time of `np.clip`.
        bounded = np.minimum(np.maximum(p, eps), 1 - eps)
        return -z.shape[1] * np.log(np.where(t > 0, bounded, 1 - bounded)), p - t

    def entry_slopes(self, difference: Array) -> Array:
        """Return the derivative of each entry."""
        return np.asarray(difference.shape[1] * difference)


class BoundedSoftmax(SoftmaxCrossEntropy):
    """Softmax cross-entropy whose value takes probabilities to be at least eps.

    scikit-learn's line search uses this value; the gradient is that without the bound.

    Examples
    --------
    >>> round(BoundedSoftmax().forward([[0.0, 1000.0]], [0]), 4)
    36.0437
    """

    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the loss, and cache what :meth:`backward` needs."""
        value = super().forward(prediction, target, sample_weight)
        z = as_floats(prediction)
        highest = -math.log(np.finfo(z.dtype).eps)
        # Most batches are far from the bound, and a single comparison shows it.
        if not z.size or z.max() - z.min() + math.log(z.shape[1]) <= highest:
            return value
        rows = logsumexp(z, axis=1) - z[np.arange(len(z)), np.asarray(target)]
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return value - float(np.average(np.maximum(rows - highest, 0), weights=weight))


class HalfSquaredError(MeanSquaredError):
    """Half the squared difference, averaged over all entries, with scikit-learn's gradient.

    The gradient is averaged over the rows only, so for several outputs it is a multiple of the
    gradient of this value.

    Examples
    --------
    >>> loss = HalfSquaredError()
    >>> loss.forward([[3.0, 1.0]], [[1.0, 1.0]]), loss.backward()
    (1.0, array([[2., 0.]]))
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        """Return the loss of each entry, and what `entry_slopes` needs."""
        losses, difference = super().entry_losses(p, t)
        return losses / 2, difference

    def entry_slopes(self, difference: Array) -> Array:
        """Return the derivative of each entry."""
        return np.asarray(difference.shape[1] * difference)


class HalfPoissonDeviance(Poisson):
    r"""Half the Poisson deviance: Poisson loss plus :math:`t \log t - t`, added over the outputs.

    Examples
    --------
    >>> HalfPoissonDeviance().forward([[0.0]], [[1.0]])
    0.0
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        """Return the loss of each entry, and what `entry_slopes` needs."""
        losses, saved = super().entry_losses(p, t)
        return p.shape[1] * (losses + xlogy(t, t) - t), saved

    def entry_slopes(self, saved: tuple[Array, Array]) -> Array:
        """Return the derivative of each entry."""
        slope = super().entry_slopes(saved)
        return np.asarray(slope.shape[1] * slope)


class PenalizedLoss(Loss):
    """A loss, and the penalty that a training adds to it by :func:`gradient`.

    Parameters
    ----------
    loss : Loss
        The loss of the output.
    parameters : list of Parameter
        The parameters, of which :func:`is_penalized` says which count.
    alpha : float
        The factor of the penalty.
    """

    def __init__(self, loss: Loss, parameters: list[Parameter], alpha: float = 0.0) -> None:
        super().__init__()
        self.loss, self.parameters, self.alpha = loss, parameters, alpha

    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the loss without the penalty."""
        return self.loss.forward(prediction, target, sample_weight)

    def backward(self) -> Array:
        """Return the gradient of the loss with respect to the prediction."""
        return self.loss.backward()


CLASSIFICATION = ("hinge", "log_loss")

REGRESSION: dict[str, type[Loss]] = {
    "absolute_error": MeanAbsoluteError,
    "gaussian_nll": GaussianNLL,
    "huber": Huber,
    "poisson": HalfPoissonDeviance,
    "squared_error": HalfSquaredError,
}


def classification(loss: str | Loss, multiclass: bool, line_search: bool) -> Loss:
    """Return the loss of a classifier, a copy if it is an object.

    Parameters
    ----------
    loss : str or Loss
        A name of :data:`CLASSIFICATION`, or an object.
    multiclass : bool
        Whether a row has one of several classes, as opposed to zeros and ones.
    line_search : bool
        Whether the solver uses the value of the loss.
    """
    if isinstance(loss, Loss):
        return copy.deepcopy(loss)
    if loss == "hinge":
        return Hinge()
    if not multiclass:
        return BoundedSigmoid()
    return BoundedSoftmax() if line_search else SoftmaxCrossEntropy()


def regression(loss: str | Loss) -> Loss:
    """Return the loss of a regressor, a copy if it is an object."""
    return copy.deepcopy(loss) if isinstance(loss, Loss) else REGRESSION[loss]()


def weights_by_class(class_weight: Any, classes: Array, y: Array, weight: Array | None) -> Array:
    """Return the weight of each row's class, multiplied over the columns of labels.

    Parameters
    ----------
    class_weight : dict, list of dict, or "balanced"
        The weight of each class, 1 by default; a list has a dict for each column. ``"balanced"``
        gives all classes of a column the same total weight, given the weights of rows.
    classes : ndarray, shape (n_classes,)
        All labels that a column may hold, sorted; y may lack some.
    y : ndarray or sparse matrix, shape (n_samples,) or (n_samples, n_outputs)
        Labels.
    weight : ndarray, shape (n_samples,), optional
        Weights of rows.

    Returns
    -------
    ndarray, shape (n_samples,)

    Raises
    ------
    ValueError
        If a weight is below 0, infinite or NaN, or there are other columns.

    Examples
    --------
    >>> weights_by_class({"b": 3.0}, np.array(["a", "b"]), np.array(["b", "a"]), None)
    array([3., 1.])
    >>> weights_by_class("balanced", np.array([0, 1]), np.array([0, 0, 0, 1]), None).round(2)
    array([0.67, 0.67, 0.67, 2.  ])
    """
    y = y if isinstance(y, np.ndarray) else y.toarray()
    columns = y.reshape(len(y), -1).T
    each = [class_weight] * len(columns) if class_weight == "balanced" else class_weight
    each = each if isinstance(each, list) else [each]
    are_known = all(isinstance(item, dict | str | None) for item in each)
    if len(each) != len(columns) or not are_known:
        raise ValueError(
            f"class_weight must be 'balanced' or a list of {len(columns)} dicts, one for each "
            f"column of y, got {shown(class_weight)}"
        )
    factors = np.ones(len(y))
    for column, column_weight in zip(columns, each, strict=True):
        ids = np.searchsorted(classes, column)
        if column_weight == "balanced":
            counts = np.bincount(ids, weights=weight, minlength=len(classes))
            present = counts > 0
            by_class = counts.sum() / (present.sum() * np.where(present, counts, 1))
        else:
            by_class = compute_class_weight(column_weight, classes=classes, y=column)
        factors *= by_class[ids]
    bad = factors[~((factors >= 0) & (factors < np.inf))]
    if len(bad):
        raise ValueError(f"class_weight must be finite and at least 0, got {bad[0]}")
    return factors


def gradient(
    network: Layer | SparseInput,
    loss: Loss,
    parameters: list[Parameter],
    batch: tuple[Any, Array, Array | None],
    alpha: float,
) -> float:
    r"""Add up the gradient of :math:`\ell + \alpha \lVert W \rVert^2 / 2n`; return the value.

    n is the number of rows in the batch, or the sum of their weights.
    """
    x, target, weight = batch
    value = loss.forward(network.forward(x), target, weight)
    network.backward_parameters(loss.backward())
    rows = len(target) if weight is None else float(weight.sum())
    return value + penalize(parameters, alpha / rows)


def is_penalized(parameter: Parameter) -> bool:
    """Return whether `alpha` applies: to matrices, but not to biases or scales of a normalization.

    A parameter whose `decay` is False is left out too.
    """
    return parameter.value.ndim > 1 and parameter.decay


def penalize(parameters: Iterable[Parameter], alpha: float) -> float:
    r"""Add the gradient of :math:`\alpha/2 \lVert W \rVert^2`, and return the penalty itself.

    It covers the parameters that :func:`is_penalized` names.

    Examples
    --------
    >>> W, b = Parameter([[1.0, 2.0]]), Parameter([3.0])
    >>> penalize([W, b], alpha=0.1), W.grad, b.grad
    (0.25, array([[0.1, 0.2]]), array([0.]))
    """
    squares = 0.0
    for parameter in parameters if alpha else ():
        if not is_penalized(parameter):
            continue
        weights, gradient = parameter.value.reshape(-1), parameter.grad.reshape(-1)
        for start in range(0, len(weights), BLOCK):
            w = weights[start : start + BLOCK]
            g = gradient[start : start + BLOCK]
            g += alpha * w
            squares += float(w.dot(w))
    return alpha / 2 * squares
