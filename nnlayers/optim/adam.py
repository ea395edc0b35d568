"""Adam and its variants: steps from running averages of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number
from nnlayers._core.showing import shown
from nnlayers.layer import Parameter
from nnlayers.optim.base import LearningRate, Optimizer

__all__ = ["Adam", "AdamW", "NAdam", "check_betas"]


class Adam(Optimizer):
    r"""Adam: steps from running averages of the gradient and of its square.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \eta \,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Weight decay adds :math:`\lambda p` to the gradient.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    betas : pair of float
        :math:`\beta_1` and :math:`\beta_2`, at least 0 and below 1.
    eps : float
        :math:`\epsilon`, above 0.
    weight_decay : float
        :math:`\lambda`, at least 0.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = Adam([W], lr=0.1)
    >>> W.grad += [5.0, 0.0]
    >>> optimizer.step()
    >>> W.value.round(6)
    array([0.9, 2. ])
    """

    state_names = ("m", "v")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.betas = check_betas(betas)
        self.eps = check_number("eps", eps, above=0)
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        # The averages lack their factors 1 - beta. These, the corrections and the learning rate are
        # contained in two numbers, which leaves ten passes over memory.
        beta1, beta2 = self.betas
        correction = math.sqrt((1 - beta2) / (1 - beta2**t))
        rate = lr * (1 - beta1) / ((1 - beta1**t) * correction)
        # NumPy converts a Python float in each operation, for as long as the operation itself takes
        # on a thousand entries. Arrays without axes are faster.
        dtype = p.dtype
        m, v = state
        m *= np.array(beta1, dtype)
        m += g
        v *= np.array(beta2, dtype)
        step = np.square(g)  # This is a quarter faster than g * g.
        v += step
        np.sqrt(v, step)
        step += np.array(self.eps / correction, dtype)
        np.divide(m, step, step)
        step *= np.array(rate, dtype)
        p -= step


class AdamW(Adam):
    r"""Adam with decoupled weight decay, which does not enter the averages of the gradient.

    .. math:: p \leftarrow (1 - \eta\lambda)\, p \quad \text{before each step of Adam}

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    betas, eps
        As for :class:`Adam`.
    weight_decay : float
        :math:`\lambda`, at least 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> AdamW([W], lr=0.1, weight_decay=0.5).step()
    >>> W.value
    array([0.95, 1.9 ])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def add_decay(self, p: Array, g: Array, lr: float) -> Array:
        """Shrink the weights in place, and return the gradient as it is."""
        p *= 1 - lr * self.weight_decay
        return g


class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \mu_t &= \beta_1 (1 - \tfrac12\, 0.96^{t\psi}), \qquad
        M_t = \textstyle\prod_{i \le t} \mu_i \\
        p &\leftarrow p - \eta \Big(\frac{1 - \mu_t}{1 - M_t}\, g
        + \frac{\mu_{t+1}}{1 - M_{t+1}}\, m\Big) \Big/
        \Big(\sqrt{v / (1 - \beta_2^t)} + \epsilon\Big)

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``.
    lr : float or callable
        The learning rate :math:`\eta`, or a schedule ``schedule(step) -> lr``.
    betas, eps, weight_decay
        As for :class:`Adam`.
    momentum_decay : float
        :math:`\psi`, at least 0.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = NAdam([W], lr=0.1)
    >>> W.grad += [5.0, 0.0]
    >>> optimizer.step()
    >>> W.value.round(4)
    array([0.8944, 2.    ])
    """

    state_names = ("m", "v")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: LearningRate = 2e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
    ) -> None:
        self.betas = check_betas(betas)
        self.eps = check_number("eps", eps, above=0)
        self.momentum_decay = check_number("momentum_decay", momentum_decay, minimum=0)
        self._products = [1.0]
        super().__init__(params, lr, weight_decay)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place."""
        beta1, beta2 = self.betas
        m, v = state
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        scale = np.sqrt(v / (1 - beta2**t))
        scale += self.eps
        mu, following = self.momentum(t), self.momentum(t + 1)
        product = self.momentum_product(t)
        step = (lr * (1 - mu) / (1 - product)) * g
        step += (lr * following / (1 - product * following)) * m
        step /= scale
        p -= step

    def momentum(self, t: int) -> float:
        """Return the momentum of step t."""
        return self.betas[0] * (1 - 0.5 * float(0.96 ** (t * self.momentum_decay)))

    def momentum_product(self, t: int) -> float:
        """Return the product of the momenta up to step t from a list that grows with t.

        The list ends where 1 minus the product is 1, after some hundred steps. The product itself
        would never get to 0, because 0.9 times the smallest float is rounded to that float.
        """
        products = self._products
        while len(products) <= t and products[-1] > 2.0**-60:
            products.append(products[-1] * self.momentum(len(products)))
        return products[min(t, len(products) - 1)]


def check_betas(betas: tuple[float, float]) -> tuple[float, float]:
    """Return two decay rates, checked to be at least 0 and below 1.

    Examples
    --------
    >>> check_betas((0.9, 1.0))
    Traceback (most recent call last):
    ValueError: betas[1] must be a finite number of at least 0 and below 1, got 1.0
    """
    try:
        beta1, beta2 = betas
    except (TypeError, ValueError):
        raise TypeError(f"betas must be a pair of numbers, got {shown(betas)}") from None
    return (
        check_number("betas[0]", beta1, minimum=0, below=1),
        check_number("betas[1]", beta2, minimum=0, below=1),
    )
