"""Gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_number
from nnlayers.layer import Parameter
from nnlayers.optim.base import LearningRate, Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent with optional momentum.

    .. math::

        g \leftarrow g + \lambda p, \qquad
        u \leftarrow \mu u + g, \qquad
        p \leftarrow p - \eta u

    with the learning rate :math:`\eta`, momentum :math:`\mu` and weight decay :math:`\lambda`.
    Nesterov's variant looks ahead: :math:`p \leftarrow p - \eta (g + \mu u)`.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate, or a schedule ``schedule(step) -> lr``.
    momentum : float
        :math:`\mu`, at least 0 and below 1.
    nesterov : bool
        Whether to use Nesterov's variant, which needs momentum.
    weight_decay : float
        :math:`\lambda`, at least 0.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013, in the form of PyTorch's ``SGD``, where the learning rate is outside u.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = SGD([W], lr=0.1, momentum=0.9)
    >>> for step in range(2):
    ...     W.grad += [1.0, 0.0]
    ...     optimizer.step()
    >>> W.value
    array([0.71, 2.  ])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = check_number("momentum", momentum, minimum=0, below=1)
        self.nesterov = check_boolean("nesterov", nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, got momentum=0.0")
        if self.momentum:
            self.state_names = ("u",)
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        if self.momentum:
            (u,) = state
            u *= self.momentum
            u += g
            g = g + self.momentum * u if self.nesterov else u
        p -= np.array(lr, p.dtype) * g  # A float would be converted more slowly.
