"""Outputs of the members of an ensemble: what is averaged, and the variance that they expect."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layers import Exp, Identity, Sigmoid, Softmax
from nnlayers.layers.operation import Operation
from nnlayers.losses import (
    GaussianNLL,
    KLDivergence,
    Loss,
    Poisson,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)

__all__ = ["LINKS", "EnsemblePrediction", "expected_variance", "outputs_of"]


class _GaussianMean(Operation, guarded=False):
    """The first half of the columns: the means of :class:`nnlayers.GaussianNLL`."""

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        means, log_variances = np.split(x, 2, axis=-1)
        return means, log_variances

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        return np.concatenate([dout, np.zeros_like(saved)], axis=-1)


# What is averaged, by what a member's outputs are. Their pure functions hold no state.
LINKS: dict[str, Operation] = {
    "values": Identity(),
    "classes": Softmax(),
    "binary": Sigmoid(),
    "log_probabilities": Exp(),
    "counts": Exp(),
    "gaussian": _GaussianMean(),
}
# What outputs a loss trains; those of all others are values.
_OUTPUTS: dict[type[Loss], str] = {
    SoftmaxCrossEntropy: "classes",
    SigmoidCrossEntropy: "binary",
    KLDivergence: "log_probabilities",
    Poisson: "counts",
    GaussianNLL: "gaussian",
}


class EnsemblePrediction(NamedTuple):
    r"""Mean of the members' predictions, and its uncertainty in two parts.

    By the law of total variance, that of a target is the sum of both,

    .. math:: \sigma^2 = \underbrace{\operatorname{Var}_m \mu_m}_\text{disagreement}
        + \underbrace{\operatorname{Mean}_m \sigma_m^2}_\text{noise}

    Attributes
    ----------
    mean : ndarray
        The mean of what the members predict, :math:`\mu_m`: values, probabilities or rates.
    disagreement : ndarray
        The standard deviation of the members' predictions, which more rows of training would lower.
    noise : ndarray or None
        The standard deviation of the target that the members expect, :math:`\sigma_m`, which more
        rows would not lower; None for values, of which a loss such as the squared error does not
        learn it. Of a probability p it is :math:`\sqrt{p (1 - p)}`, of a rate its root.

    Examples
    --------
    >>> prediction = EnsemblePrediction(np.zeros(1), np.array([3.0]), np.array([4.0]))
    >>> prediction.std
    array([5.])
    """

    mean: Array
    disagreement: Array
    noise: Array | None

    @property
    def std(self) -> Array:
        """The standard deviation of both parts together; that of the members without noise."""
        if self.noise is None:
            return self.disagreement
        return np.hypot(self.disagreement, self.noise)


def outputs_of(loss: Any) -> str:
    """Return what the outputs that a loss trains are, a key of :data:`LINKS`.

    Examples
    --------
    >>> outputs_of(SoftmaxCrossEntropy())
    'classes'
    """
    return next((name for kind, name in _OUTPUTS.items() if isinstance(loss, kind)), "values")


def expected_variance(outputs: str, output: Array, mean: Array) -> Any:
    """Return the variance of the target that a member expects, None if it knows none.

    Examples
    --------
    >>> expected_variance("counts", np.log([[4.0]]), np.array([[4.0]]))
    array([[4.]])
    """
    if outputs == "values":
        return None
    if outputs == "gaussian":
        # The loss has the same lower bound of 1e-6 on the variance.
        return np.maximum(np.exp(np.split(output, 2, axis=-1)[1] / 2), 1e-3) ** 2
    # The largest probability may round to a little above 1.
    return mean if outputs == "counts" else np.maximum(mean * (1 - mean), 0)
