"""Sigmoid-like activations, softplus and identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers._core.checks import check_number
from nnlayers._core.formula import Formula
from nnlayers.layers.operation import Elementwise

__all__ = ["HardTanh", "Identity", "Sigmoid", "Softplus", "Softsign", "Tanh"]


class Identity(Elementwise):
    """Identity function: y = x, as a new array.

    Examples
    --------
    >>> Identity().forward([1.0, -2.0])
    array([ 1., -2.])
    """

    formula = Formula("x", "1")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return x.copy(), None

    def derivative(self, saved: None) -> Any:
        return 1


class Sigmoid(Elementwise):
    r"""Logistic function.

    .. math::

        y = \frac{1}{1 + e^{-x}}, \qquad \frac{dy}{dx} = y\,(1 - y)

    Examples
    --------
    >>> sigmoid = Sigmoid()
    >>> sigmoid.forward([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    >>> sigmoid.backward([1.0, 1.0, 1.0])
    array([0.  , 0.25, 0.  ])
    """

    formula = Formula("1 / (1 + exp(-x))", "y * (1 - y)")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        e = np.exp(-np.abs(x))
        return _logistic(x, e), e

    def derivative(self, e: Any) -> Any:
        # y (1 - y) cancels where y is near 1, and the square in e / (1 + e)^2 doubles its error.
        return e / (1 + e * (2 + e))


class Tanh(Elementwise):
    r"""Hyperbolic tangent.

    .. math:: y = \tanh(x), \qquad \frac{dy}{dx} = 1 - y^2 = \frac{1}{\cosh^2 x}

    Examples
    --------
    >>> tanh = Tanh()
    >>> tanh.forward([0.0, 1000.0])
    array([0., 1.])
    >>> tanh.backward([1.0, 1.0])
    array([1., 0.])
    """

    formula = Formula("tanh(x)", "1 - y**2")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return np.tanh(x), x

    def derivative(self, x: Any) -> Any:
        with np.errstate(over="ignore"):
            e = np.exp(-2 * np.abs(x))
        return 4 * e / (1 + e * (2 + e))  # 1 - y^2 would cancel where y is near 1.


class Softplus(Elementwise):
    r"""Smooth rectifier.

    .. math::

        y = \frac{1}{\beta} \log(1 + e^{\beta x}), \qquad
        \frac{dy}{dx} = \frac{e^{\beta x}}{1 + e^{\beta x}}

    Parameters
    ----------
    beta : float
        Sharpness of the bend, above 0.

    Notes
    -----
    PyTorch has y = x where beta x is above 20, which is off by up to 2e-9; here it is exact.

    References
    ----------
    C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing",
    NeurIPS 2000.

    Examples
    --------
    >>> softplus = Softplus()
    >>> softplus.forward([-1000.0, 0.0, 1000.0]).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+03])
    >>> softplus.backward([1.0, 1.0, 1.0])
    array([0. , 0.5, 1. ])
    """

    formula = Formula("log(1 + exp(beta * x)) / beta", "exp(beta * x) / (1 + exp(beta * x))")

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = check_number("beta", beta, above=0)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        # In float32 the rounding of beta x would cost 50 units in the last place of e^(beta x).
        dtype = x.dtype if self.beta == 1 else np.float64
        with np.errstate(over="ignore"):
            z = np.multiply(x, self.beta, dtype=dtype)
            e = np.exp(-np.abs(z))
            y = np.maximum(x, np.zeros(x.shape, x.dtype)) + np.log1p(e) / self.beta
            return y.astype(x.dtype, copy=False), (x, e.astype(x.dtype, copy=False))

    def derivative(self, saved: tuple[Any, Any]) -> Any:
        x, e = saved
        return _logistic(x, e)


class Softsign(Elementwise):
    r"""Softsign function, which saturates like the hyperbolic tangent, but slowly.

    .. math:: y = \frac{x}{1 + |x|}, \qquad \frac{dy}{dx} = \frac{1}{(1 + |x|)^2}

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.

    Examples
    --------
    >>> softsign = Softsign()
    >>> softsign.forward([-3.0, 0.0, 1.0])
    array([-0.75,  0.  ,  0.5 ])
    >>> softsign.backward([1.0, 1.0, 1.0])
    array([0.0625, 1.    , 0.25  ])
    """

    formula = Formula("x / (1 + abs(x))", "1 / (1 + abs(x))**2")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        c = x.clip(-1e30, 1e30)  # Beyond 1e30 y is 1, and infinity / infinity would be NaN.
        return c / (1 + np.abs(c)), x

    def derivative(self, x: Any) -> Any:
        return np.square(1 / (1 + np.abs(x)))


class HardTanh(Elementwise):
    r"""Hard hyperbolic tangent: the input clipped to [-1, 1].

    .. math:: y = \min(\max(x, -1), 1), \qquad \frac{dy}{dx} = 1(-1 < x < 1)

    The derivative at -1 and 1 is 0, as in PyTorch.

    References
    ----------
    R. Collobert, "Large scale machine learning", PhD thesis, Université Paris VI, 2004.

    Examples
    --------
    >>> hard_tanh = HardTanh()
    >>> hard_tanh.forward([-3.0, 0.5, 1.0])
    array([-1. ,  0.5,  1. ])
    >>> hard_tanh.backward([1.0, 1.0, 1.0])
    array([0., 1., 0.])
    """

    formula = Formula("min(max(x, -1), 1)", "one(-1 < x < 1)")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return x.clip(-1, 1), x

    def derivative(self, x: Any) -> Any:
        return ~(np.abs(x) >= 1)  # This is true for NaN, as in PyTorch.


def _logistic(x: Any, e: Any) -> Any:
    """Return 1 / (1 + e^-x) from e = e^-|x|, which does not overflow."""
    return np.maximum(e, x > 0) / (1 + e)
