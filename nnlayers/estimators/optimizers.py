"""scikit-learn's two optimizers, where they differ from the library's."""

from __future__ import annotations

import math
from collections.abc import Iterable

from nnlayers._core.arrays import Array
from nnlayers.layer import Parameter
from nnlayers.optim import Adam, LearningRate, Optimizer

__all__ = ["Momentum", "ScikitAdam"]


class Momentum(Optimizer):
    r"""scikit-learn's gradient descent, whose learning rate is part of the velocity.

    .. math:: v \leftarrow \mu v - \eta g, \qquad p \leftarrow p + v

    or with Nesterov's look ahead :math:`p \leftarrow p + \mu v - \eta g`. It differs from
    :class:`nnlayers.optim.SGD` once the learning rate changes.

    Parameters
    ----------
    params : iterable of Parameter
        What to train.
    lr : float or callable
        The learning rate, or a schedule.
    momentum : float
        From 0 to 1.
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
    r"""Adam with scikit-learn's place for epsilon: beside the root of v as it is, not corrected.

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
