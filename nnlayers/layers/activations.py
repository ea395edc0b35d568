"""Activations: functions of each entry, and softmax, a function of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.layers.operation import Elementwise
from nnlayers.numerics import Array, as_floats
from nnlayers.validation import check_integer, check_number

__all__ = ["Identity", "ReLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class Identity(Elementwise):
    """Return the input, as a new array: y = x.

    Examples
    --------
    >>> Identity().forward([1.0, -2.0])
    array([ 1., -2.])
    """

    def compute(self, x: Array) -> tuple[Array, Any]:
        return x.copy(), np.ones((), x.dtype)

    def derivative(self, kept: Array) -> Array:
        return kept


class ReLU(Elementwise):
    r"""Rectified linear unit.

    .. math:: y = \max(x, 0), \qquad \frac{dy}{dx} = 1(x > 0)

    The derivative at 0 is 0, as in PyTorch.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.

    Examples
    --------
    >>> relu = ReLU()
    >>> relu.forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    >>> relu.backward([5.0, 5.0, 5.0])
    array([0., 0., 5.])
    """

    def compute(self, x: Array) -> tuple[Array, Any]:
        return np.maximum(x, 0), x

    def derivative(self, x: Array) -> Array:
        return ~np.less_equal(x, 0)  # true for NaN, as in PyTorch


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

    def compute(self, x: Array) -> tuple[Array, Any]:
        e = np.exp(-np.abs(x))  # as e^-x overflows for large -x
        return np.exp(np.minimum(x, 0)) / (1 + e), e

    def derivative(self, e: Array) -> Array:
        # y (1 - y) cancels where y is near 1, and the square in e / (1 + e)^2 doubles its error.
        slope: Array = e / (1 + e * (2 + e))
        return slope


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

    def compute(self, x: Array) -> tuple[Array, Any]:
        return np.tanh(x), x

    def derivative(self, x: Array) -> Array:
        # 1 - y^2 cancels where y is near 1. Beyond 400 the exponential is 0, and -2x may overflow.
        e = np.exp(-2 * np.minimum(np.abs(x), 400))
        slope: Array = 4 * e / (1 + e * (2 + e))
        return slope


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

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = check_number("beta", beta, above=0)

    def compute(self, x: Array) -> tuple[Array, Any]:
        with np.errstate(over="ignore"):
            z = self.beta * x
        e = np.exp(-np.abs(z))  # as e^z overflows for large z
        return np.maximum(x, 0) + np.log1p(e) / self.beta, (z, e)

    def derivative(self, kept: tuple[Array, Array]) -> Array:
        z, e = kept
        slope: Array = np.exp(np.minimum(z, 0)) / (1 + e)
        return slope


class Softmax(Layer):
    r"""Turn scores into probabilities along one axis.

    .. math::

        y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad
        \frac{\partial\ell}{\partial x_i} = y_i
        \Big(\frac{\partial\ell}{\partial y_i} - \sum_j \frac{\partial\ell}{\partial y_j} y_j\Big)

    To train a classifier, leave it out and use :class:`nnlayers.SoftmaxCrossEntropy`, which takes
    the scores: it is exact where a probability rounds to 0 or 1.

    Parameters
    ----------
    axis : int
        The axis that sums to 1.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, Springer 1990.

    Examples
    --------
    >>> Softmax().forward([[1000.0, 1000.0], [0.0, -1000.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_integer("axis", axis)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        y = self._probabilities(x)
        self._cache = y, x.dtype
        return y.astype(x.dtype)

    def predict(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        return self._probabilities(x).astype(x.dtype, copy=False)

    def backward(self, dout: npt.ArrayLike) -> Array:
        y, dtype = self._cached()
        dout = self._incoming(dout, y.shape, y.dtype)
        if not y.size:
            return np.zeros(y.shape, dtype)
        # A constant added to dout changes nothing. With this one the sum leaves out the largest
        # probability, which near 1 would cancel all the others.
        top = y.argmax(axis=self.axis, keepdims=True)
        dout = dout - np.take_along_axis(dout, top, axis=self.axis)
        dx: Array = y * (dout - (dout * y).sum(axis=self.axis, keepdims=True))
        return dx.astype(dtype, copy=False)

    def _probabilities(self, x: Array) -> Array:
        (axis,) = self._axes(self.axis, x)
        # In float64, as the rounding of the difference cost 64 ulp in float32.
        with np.errstate(invalid="ignore"):  # infinity - infinity is NaN
            shifted = np.subtract(
                x, x.max(axis=axis, keepdims=True, initial=-np.inf), dtype=np.float64
            )
        y: Array = np.exp(shifted, out=shifted)
        y /= y.sum(axis=axis, keepdims=True)
        return y
