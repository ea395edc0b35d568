"""Solvers of the estimators: scikit-learn's two optimizers, and L-BFGS."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from nnlayers._core.arrays import Array
from nnlayers._core.showing import shown
from nnlayers.estimators.networks import Data, is_finite, network_for, trainable_parameters
from nnlayers.estimators.objectives import gradient
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import Loss
from nnlayers.optim import Adam, LearningRate, Optimizer
from nnlayers.optim.lbfgs import minimize_flat

__all__ = [
    "NONFINITE",
    "Momentum",
    "ScikitAdam",
    "check_finite_result",
    "make_optimizer",
    "minimize_by_lbfgs",
    "warn_of_convergence",
]

# The message of scikit-learn.
NONFINITE = (
    "Solver produced non-finite {}. The input data may contain large values and need to be "
    "preprocessed."
)


def make_optimizer(settings: Any, params: list[Parameter]) -> Optimizer:
    """Return the optimizer that an estimator's parameters describe."""
    lr = settings.learning_rate
    if not callable(lr):
        lr = float(settings.learning_rate_init)
    if settings.solver == "sgd":
        return Momentum(params, lr, settings.momentum, settings.nesterovs_momentum)
    if settings.solver == "adam":
        betas = settings.beta_1, settings.beta_2
        return ScikitAdam(params, lr, betas, settings.epsilon)
    make: Callable[..., Any] = settings.solver
    optimizer = make(params, lr)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"solver must make an Optimizer from params and lr, got {shown(optimizer)}")
    return optimizer


class Momentum(Optimizer):
    r"""Gradient descent of scikit-learn, whose learning rate is part of the velocity.

    .. math:: v \leftarrow \mu v - \eta g, \qquad p \leftarrow p + v

    or with Nesterov's look ahead :math:`p \leftarrow p + \mu v - \eta g`. It differs from
    :class:`nnlayers.optim.SGD` once the learning rate changes.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train.
    lr : float or callable
        The learning rate, or a schedule.
    momentum : float
        The factor :math:`\mu` of the velocity, from 0 to 1.
    nesterov : bool
        Whether to look ahead.
    """

    state_names = ("v",)

    def __init__(
        self, params: Iterable[Parameter], lr: LearningRate, momentum: float, nesterov: bool
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        super().__init__(params, lr)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Change weights and velocity in place."""
        (v,) = state
        step = lr * g
        v *= self.momentum
        v -= step
        p += self.momentum * v - step if self.nesterov else v


class ScikitAdam(Adam):
    r"""Adam of scikit-learn, which adds epsilon to the root of v before correcting its bias.

    .. math:: p \leftarrow p - \eta \,
        \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \, \frac{m}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    params, lr, betas
        As for :class:`nnlayers.optim.Adam`.
    epsilon : float
        :math:`\epsilon`, above 0.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        self.epsilon = epsilon
        super().__init__(params, lr, betas=betas, eps=epsilon)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Change weights and state in place."""
        self.eps = self.epsilon / math.sqrt(1 - self.betas[1] ** t)
        super().update(p, g, state, lr, t)


def minimize_by_lbfgs(settings: Any, network: Layer, loss: Loss, data: Data) -> tuple[float, int]:
    """Train on all rows at once, in evaluation mode; return the loss and the iterations.

    Raises
    ------
    ValueError
        If the weights or the loss become infinite or NaN.
    """
    network.eval()
    parameters = trainable_parameters(network)
    model = network_for(network, data.X)
    batch = data.batch(slice(None))
    numbers = count(1)

    def gather_gradients() -> float:
        network.zero_grad()
        return gradient(model, loss, parameters, batch, settings.alpha)

    def report(intermediate_result: Any) -> None:
        print(f"Iteration {next(numbers)}, loss = {intermediate_result.fun:.8f}")

    result = minimize_flat(
        parameters,
        gather_gradients,
        options={"maxfun": settings.max_fun, "maxiter": settings.max_iter, "gtol": settings.tol},
        callback=report if settings.verbose else None,
    )
    # A conversion clears the layers' caches, which would keep all rows in memory.
    network.astype(result.x.dtype).train()
    loss_value, iterations = float(result.fun), min(result.nit, settings.max_iter)
    if result.status != 0:
        warn_of_convergence(
            f"lbfgs failed to converge after {iterations} iteration(s) "
            f"(status={result.status}): {result.message}. "
            f"A larger max_iter (now {settings.max_iter}) or scaled data may help."
        )
    check_finite_result(loss_value, parameters)
    return loss_value, iterations


def check_finite_result(loss: float, parameters: Iterable[Parameter]) -> None:
    """Raise ``ValueError`` if a weight or the loss is infinite or NaN."""
    if not is_finite(parameters):
        raise ValueError(NONFINITE.format("parameter weights"))
    if not math.isfinite(loss):
        raise ValueError(NONFINITE.format(f"loss, {loss}"))


def warn_of_convergence(message: str) -> None:
    """Warn that a fit may not have converged."""
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
