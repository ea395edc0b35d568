"""Lion: steps of equal size in the direction of a sign."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layer import Parameter
from nnlayers.optim.adam import check_betas
from nnlayers.optim.base import LearningRate, Optimizer

__all__ = ["Lion"]


class Lion(Optimizer):
    r"""Lion: follow the sign of a running average of the gradient.

    .. math::

        p &\leftarrow p - \eta \big(\operatorname{sign}(\beta_1 m + (1 - \beta_1) g)
        + \lambda p\big) \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``; a third to a tenth
        of what suits Adam.
    betas : pair of float
        :math:`\beta_1` and :math:`\beta_2`, at least 0 and below 1.
    weight_decay : float
        :math:`\lambda`, at least 0.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = Lion([W], lr=0.1)
    >>> W.grad += [5.0, -0.001]
    >>> optimizer.step()
    >>> W.value
    array([0.9, 2.1])
    """

    state_names = ("m",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1e-4,
        *,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        self.betas = check_betas(betas)
        super().__init__(params, lr, weight_decay)

    def add_decay(self, p: Array, g: Array, lr: float) -> Array:
        """Shrink the weights in place, and return the gradient as it is."""
        p *= 1 - lr * self.weight_decay
        return g

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        beta1, beta2 = self.betas
        (m,) = state
        direction = np.sign(beta1 * m + (1 - beta1) * g)
        p -= lr * direction
        m *= beta2
        m += (1 - beta2) * g
