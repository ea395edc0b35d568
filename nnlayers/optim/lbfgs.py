"""A quasi-Newton method for small data sets, all rows at once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers._core.checks import check_integer, check_number
from nnlayers.layer import Layer

__all__ = ["minimize_lbfgs"]


class DifferentiableLoss(Protocol):
    """What is asked of a loss here."""

    def forward(self, prediction: Any, target: Any) -> float:
        """Return the loss."""

    def backward(self) -> Array:
        """Return d loss / d prediction."""


def minimize_lbfgs(
    model: Layer,
    loss: DifferentiableLoss,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    l2: float = 0.0,
    max_iter: int = 200,
    gtol: float = 1e-5,
    ftol: float = 2.220446049250313e-09,
) -> Any:
    r"""Minimise the loss over all rows by L-BFGS-B, and leave the best weights in the model.

    .. math:: \min_p \; \ell(f_p(x), y) + \frac{\lambda}{2} \lVert p \rVert^2

    The model runs in evaluation mode, for the method needs the same loss from the same weights;
    afterwards it is in the mode that it was in. Frozen parameters stay.

    Parameters
    ----------
    model : Layer
        What to train. A float64 model lets the method go on to the last digits.
    loss : Loss
        The loss.
    x, y : array_like
        All rows, and their targets.
    l2 : float
        :math:`\lambda`, at least 0, for the weights and biases alike.
    max_iter : int
        The most iterations, at least 1.
    gtol : float
        It ends where no entry of the gradient is larger, at least 0.
    ftol : float
        It ends where an iteration makes the loss smaller by no more than this share of it, at
        least 0.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With `fun`, the minimum; `nit`, the iterations; `success` and `message`.

    Raises
    ------
    ValueError
        If the model has nothing to train, or an argument is out of its range.

    References
    ----------
    R. H. Byrd et al., "A limited memory algorithm for bound constrained optimization", SIAM
    Journal on Scientific Computing 16, 1995; by :func:`scipy.optimize.minimize`.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Affine(1, 1, dtype="float64", rng=0)
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> result = minimize_lbfgs(model, nn.MeanSquaredError(), x, 3 * x + 1)
    >>> model.W.value.round(4), model.b.value.round(4)
    (array([[3.]]), array([1.]))
    """
    from scipy.optimize import minimize

    l2 = check_number("l2", l2, minimum=0)
    max_iter = check_integer("max_iter", max_iter, minimum=1)
    options: Any = {
        "maxiter": max_iter,
        "gtol": check_number("gtol", gtol, minimum=0),
        "ftol": check_number("ftol", ftol, minimum=0),
    }
    params = [parameter for parameter in model.parameters() if parameter.trainable]
    if not params:
        raise ValueError("model must have a parameter to train, got none")
    ends = np.cumsum([parameter.size for parameter in params])[:-1]

    def assign(flat: Array) -> None:
        for parameter, values in zip(params, np.split(flat, ends), strict=True):
            parameter.value = values.reshape(parameter.shape)

    def objective(flat: Array) -> tuple[float, Array]:
        assign(flat)
        value = loss.forward(model.forward(x), y)
        model.zero_grad()
        model.backward_parameters(loss.backward())
        grad = np.concatenate([parameter.grad.ravel() for parameter in params]).astype(FLOAT64)
        return value + l2 / 2 * float(flat.dot(flat)), grad + l2 * flat

    start = np.concatenate([parameter.value.ravel() for parameter in params]).astype(FLOAT64)
    modes = {layer: layer.training for layer in model.layers_by_name().values()}
    model.eval()
    try:
        result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        assign(result.x)
    finally:
        model.zero_grad()
        for layer, training in modes.items():
            layer.training = training
    return result
