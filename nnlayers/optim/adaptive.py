"""AdaGrad, RMSProp and AdaDelta: steps scaled by the size of each weight's past gradients."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_number
from nnlayers.layer import Parameter
from nnlayers.optim.base import LearningRate, Optimizer

__all__ = ["AdaDelta", "AdaGrad", "RMSProp"]


class AdaGrad(Optimizer):
    r"""AdaGrad: divide by the root of the sum of all squared gradients so far.

    .. math::

        s \leftarrow s + g^2, \qquad
        p \leftarrow p - \frac{\eta}{1 + (t - 1)\,\kappa} \, \frac{g}{\sqrt{s} + \epsilon}

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    lr_decay : float
        :math:`\kappa`, at least 0.
    weight_decay : float
        :math:`\lambda`, at least 0; :math:`\lambda p` is added to the gradient.
    initial_accumulator_value : float
        The initial value of s, at least 0.
    eps : float
        :math:`\epsilon`, above 0.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12, 2011.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = AdaGrad([W], lr=0.1)
    >>> W.grad += [5.0, 0.0]
    >>> optimizer.step()
    >>> W.value
    array([0.9, 2. ])
    """

    state_names = ("s",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1e-2,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        self.lr_decay = check_number("lr_decay", lr_decay, minimum=0)
        self.initial_accumulator_value = check_number(
            "initial_accumulator_value", initial_accumulator_value, minimum=0
        )
        self.eps = check_number("eps", eps, above=0)
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        (s,) = state
        s += g * g
        scale = np.sqrt(s)
        scale += self.eps
        p -= lr / (1 + (t - 1) * self.lr_decay) * g / scale

    def _fresh_state(self, parameter: Parameter) -> list[Array]:
        return [np.full_like(parameter.value, self.initial_accumulator_value)]


class RMSProp(Optimizer):
    r"""RMSProp: divide by the root of a running average of the squared gradients.

    .. math::

        v \leftarrow \alpha v + (1 - \alpha) g^2, \qquad
        u \leftarrow \mu u + \frac{g}{\sqrt{v} + \epsilon}, \qquad
        p \leftarrow p - \eta u

    The centred variant divides by :math:`\sqrt{v - a^2}` instead of :math:`\sqrt{v}`, with the
    running average :math:`a \leftarrow \alpha a + (1 - \alpha) g`.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    alpha : float
        :math:`\alpha`, at least 0 and below 1.
    eps : float
        :math:`\epsilon`, above 0.
    weight_decay : float
        :math:`\lambda`, at least 0; :math:`\lambda p` is added to the gradient.
    momentum : float
        :math:`\mu`, at least 0 and below 1.
    centered : bool
        Whether to divide by the standard deviation instead of the root mean square.

    References
    ----------
    T. Tieleman and G. Hinton, "Neural networks for machine learning", lecture 6.5, Coursera 2012;
    centred: A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = RMSProp([W], lr=0.01)
    >>> W.grad += [5.0, 0.0]
    >>> optimizer.step()
    >>> W.value
    array([0.9, 2. ])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        self.alpha = check_number("alpha", alpha, minimum=0, below=1)
        self.eps = check_number("eps", eps, above=0)
        self.momentum = check_number("momentum", momentum, minimum=0, below=1)
        self.centered = check_boolean("centered", centered)
        self.state_names = ("v", *["a"] * self.centered, *["u"] * (self.momentum > 0))
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        v, *others = state
        v *= self.alpha
        v += (1 - self.alpha) * g * g
        spread = v
        if self.centered:
            a = others[0]
            a *= self.alpha
            a += (1 - self.alpha) * g
            spread = np.maximum(v - a * a, 0)  # For a constant gradient it may round below 0.
        step = np.sqrt(spread)
        step += self.eps
        np.divide(g, step, out=step)
        if self.momentum:
            u = others[-1]
            u *= self.momentum
            u += step
            step = u
        p -= lr * step


class AdaDelta(Optimizer):
    r"""AdaDelta: scale the gradient by the ratio of past steps to past gradients.

    .. math::

        v &\leftarrow \rho v + (1 - \rho) g^2, \qquad
        \Delta = \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}} \, g \\
        u &\leftarrow \rho u + (1 - \rho) \Delta^2, \qquad
        p \leftarrow p - \eta \Delta

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    rho : float
        :math:`\rho`, at least 0 and below 1.
    eps : float
        :math:`\epsilon`, above 0.
    weight_decay : float
        :math:`\lambda`, at least 0; :math:`\lambda p` is added to the gradient.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = AdaDelta([W])
    >>> W.grad += [5.0, 0.0]
    >>> optimizer.step()
    >>> W.value.round(5)
    array([0.99684, 2.     ])
    """

    state_names = ("v", "u")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1.0,
        *,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        self.rho = check_number("rho", rho, minimum=0, below=1)
        self.eps = check_number("eps", eps, above=0)
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        v, u = state
        v *= self.rho
        v += (1 - self.rho) * g * g
        delta = np.sqrt(u + self.eps)
        delta /= np.sqrt(v + self.eps)
        delta *= g
        u *= self.rho
        u += (1 - self.rho) * delta * delta
        p -= lr * delta
