"""L-BFGS: a quasi-Newton method for small data sets, on all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers._core.checks import check_instance, check_integer, check_number
from nnlayers._core.showing import shown
from nnlayers.layer import Layer, Parameter

__all__ = ["minimize_flat", "minimize_lbfgs"]


class DifferentiableLoss(Protocol):
    """The methods of a loss that :func:`minimize_lbfgs` calls."""

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
    r"""Minimise a loss over all rows by L-BFGS-B, and leave the best weights in the model.

    .. math:: \min_p \; \ell(f_p(x), y) + \frac{\lambda}{2} \lVert p \rVert^2

    The model runs in evaluation mode, because the method needs the same loss from the same weights;
    afterwards its layers are in their previous modes. Frozen parameters do not move.

    Parameters
    ----------
    model : Layer
        The model to train. With float64 weights the method converges to more digits.
    loss : Loss
        The loss.
    x, y : array_like
        All rows, and their targets.
    l2 : float
        The penalty :math:`\lambda`, at least 0, on all parameters but those whose `decay` is False.
    max_iter : int
        The largest number of iterations, at least 1.
    gtol : float
        The method stops when no entry of the gradient is larger than this, at least 0.
    ftol : float
        The method stops when an iteration reduces the loss by no more than this share of it, at
        least 0.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With `fun`, the minimum; `nit`, the number of iterations; `success` and `message`.

    Raises
    ------
    ValueError
        If the model has nothing to train, a parameter to train has an `lr_scale` other than 1,
        which a method without a learning rate cannot honour, or an argument is out of its range.

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
    check_instance("model", model, Layer)
    if not (hasattr(loss, "forward") and hasattr(loss, "backward")):
        raise TypeError(f"loss must have the methods of a Loss, got {shown(loss)}")
    l2 = check_number("l2", l2, minimum=0)
    options = {
        "maxiter": check_integer("max_iter", max_iter, minimum=1),
        "gtol": check_number("gtol", gtol, minimum=0),
        "ftol": check_number("ftol", ftol, minimum=0),
    }
    params = [parameter for parameter in model.parameters() if parameter.trainable]
    if not params:
        raise ValueError("model must have a parameter to train, got none")

    def gather_gradients() -> float:
        value = loss.forward(model.forward(x), y)
        model.zero_grad()
        model.backward_parameters(loss.backward())
        return value

    modes = {layer: layer.training for layer in model.named_layers().values()}
    model.eval()
    try:
        return minimize_flat(params, gather_gradients, l2=l2, options=options)
    finally:
        model.zero_grad()
        for layer, training in modes.items():
            layer.training = training


def minimize_flat(
    params: Sequence[Parameter],
    gather_gradients: Callable[[], float],
    *,
    l2: float = 0.0,
    options: Any,
    callback: Any = None,
) -> Any:
    """Minimise a function of parameters by L-BFGS-B on one flat vector of their values.

    Parameters
    ----------
    params : sequence of Parameter
        The parameters; the best values are left in them.
    gather_gradients : callable
        Called without arguments: writes the gradient for the present values into each parameter's
        ``grad``, and returns the function's value.
    l2 : float
        The weight of the penalty ``l2 / 2 * sum(p**2)`` on the parameters whose `decay` is True.
    options : dict
        The options ``maxiter``, ``maxfun``, ``gtol`` and ``ftol`` of SciPy's L-BFGS-B.
    callback : callable, optional
        Called after each iteration, as by :func:`scipy.optimize.minimize`.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Raises
    ------
    ValueError
        If a parameter has an `lr_scale` other than 1.

    Examples
    --------
    >>> p = Parameter([0.0, 0.0])
    >>> def gather_gradients():
    ...     p.grad = p.value - [1.0, 2.0]
    ...     return float(p.grad @ p.grad) / 2
    >>> result = minimize_flat([p], gather_gradients, options={"maxiter": 10})
    >>> p.value
    array([1., 2.])
    """
    for parameter in params:
        if parameter.lr_scale != 1:
            raise ValueError(
                f"lr_scale must be 1 for L-BFGS, which has no learning rate, got {parameter!r}; "
                "freeze what must not move"
            )
    # SciPy's optimizers take a tenth of a second to import.
    from scipy.optimize import minimize

    sizes = [parameter.size for parameter in params]
    ends = np.cumsum(sizes)[:-1]
    penalty = np.repeat([l2 * parameter.decay for parameter in params], sizes)

    def assign(flat: Array) -> None:
        for parameter, values in zip(params, np.split(flat, ends), strict=True):
            parameter.value = values.reshape(parameter.shape)

    def flatten(arrays: Iterable[Array]) -> Array:
        return np.concatenate([array.ravel() for array in arrays]).astype(FLOAT64)

    def objective(flat: Array) -> tuple[float, Array]:
        assign(flat)
        value = gather_gradients()
        grad = flatten(parameter.grad for parameter in params)
        pull = penalty * flat
        return value + float(flat.dot(pull)) / 2, grad + pull

    result = minimize(
        objective,
        flatten(parameter.value for parameter in params),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options=options,
    )
    assign(result.x)
    return result
