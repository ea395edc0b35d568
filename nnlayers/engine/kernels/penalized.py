"""Kernels of scikit-learn's losses, of its penalty on weights and of its gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers.engine.functions import INFINITY, NAN, exp, log, sigmoid, typed
from nnlayers.engine.kernel import (
    DoubleFlat,
    DoubleNumber,
    DoubleVector,
    Number,
    Rows,
    Vector,
    kernel,
)
from nnlayers.engine.kernels.losses import elementwise_loss

__all__ = [
    "bounded_sigmoid",
    "half_poisson_deviance",
    "half_squared_error",
    "penalty",
    "velocity",
]

# The distance from 1 to the next float64.
EPS = 2.0**-52


@elementwise_loss
def bounded_sigmoid(z: Any, t: Any, outputs: Any) -> tuple[Any, Any]:
    """Compute minus the log-likelihood of t = 0 or 1 with p = s(z) from EPS to 1 - EPS, and p - t.

    The mean is over rows, so both are multiplied by the number of outputs.
    """
    p = sigmoid(z)
    bounded = EPS if p < EPS else p
    bounded = 1.0 - EPS if bounded > 1.0 - EPS else bounded
    return -outputs * log(bounded if t > 0.0 else 1.0 - bounded), outputs * (p - t)


@elementwise_loss
def half_squared_error(p: Any, t: Any, outputs: Any) -> tuple[Any, Any]:
    """Compute (p - t)^2 / 2, and the derivative of its sum over the outputs."""
    d = p - t
    return 0.5 * d * d, outputs * d


@elementwise_loss
def half_poisson_deviance(p: Any, t: Any, outputs: Any) -> tuple[Any, Any]:
    """Compute e^p - t p + t log t - t and e^p - t, both times the number of outputs."""
    t = t if (t >= 0.0) & (t < INFINITY) else NAN
    rate = exp(p)
    entropy = t * (log(t) if t > 0.0 else 0.0)
    return outputs * (rate - t * p + entropy - t), outputs * (rate - t)


@kernel
def penalty(
    w: Vector,
    g: Vector,
    alpha: DoubleNumber,
    output: Rows,
    weight: DoubleFlat,
    result: DoubleVector,
) -> int:
    """Add alpha |w|^2 / 2n to the loss and its gradient to g, for rows of total weight n."""
    n = np.float64(output.shape[0])
    if weight.size > 0:
        n = np.float64(0.0)
        for i in range(weight.size):
            n += weight[i]
    if n <= 0.0:
        return 1
    share = alpha / n
    factor = typed(w[0], share)
    squares = np.float64(0.0)
    for i in range(w.size):
        g[i] += factor * w[i]
        squares += np.float64(w[i]) * np.float64(w[i])
    result[0] += 0.5 * share * squares
    return 0


@kernel
def velocity(
    p: Vector, g: Vector, v: Vector, step: Vector, mu: Number, ahead: Number, share: Number
) -> None:
    """Compute v = mu v - rate g and p = p + ahead v - share rate g.

    `ahead` is 1 and the share 0, or mu and 1 for Nesterov's variant.
    """
    rate = step[0]
    for i in range(p.size):
        change = rate * g[i]
        v[i] = mu * v[i] - change
        p[i] += ahead * v[i] - share * change
