"""Elementary functions of one input: nodes of a computational graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers._core.checks import check_number
from nnlayers._core.formula import Formula
from nnlayers.layers.operation import Elementwise

__all__ = ["Exp", "Log", "Negative", "Power", "Reciprocal", "Sqrt", "Square"]


class Exp(Elementwise):
    r"""Exponential function.

    .. math:: y = e^x, \qquad \frac{dy}{dx} = e^x

    Where e^x exceeds the largest number of the dtype (x above 709 in float64, 88 in float32), it
    is infinite.

    Examples
    --------
    >>> exp = Exp()
    >>> exp.forward([0.0, 1.0]).round(3)
    array([1.   , 2.718])
    >>> exp.backward([1.0, 1.0]).round(3)
    array([1.   , 2.718])
    """

    formula = Formula("exp(x)", "exp(x)", symbol="exp")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        y = np.exp(x)
        return y, y

    def derivative(self, y: Any) -> Any:
        return y


class Log(Elementwise):
    r"""Natural logarithm.

    .. math:: y = \log x, \qquad \frac{dy}{dx} = \frac{1}{x}

    The logarithm of 0 is -infinity, that of a negative number NaN.

    Examples
    --------
    >>> log = Log()
    >>> log.forward([1.0, 2.0, 0.0]).round(3)
    array([0.   , 0.693,  -inf])
    >>> log.backward([1.0, 1.0, 1.0])
    array([1. , 0.5, inf])
    """

    formula = Formula("log(x)", "1 / x", symbol="log")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return np.log(x), x

    def derivative(self, x: Any) -> Any:
        return 1 / x


class Negative(Elementwise):
    r"""Negation of the input.

    .. math:: y = -x, \qquad \frac{dy}{dx} = -1

    Examples
    --------
    >>> negative = Negative()
    >>> negative.forward([1.0, -2.0])
    array([-1.,  2.])
    >>> negative.backward([1.0, 1.0])
    array([-1., -1.])
    """

    formula = Formula("-x", "-1", symbol="−x")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return -x, None

    def derivative(self, saved: None) -> Any:
        return -1


class Reciprocal(Elementwise):
    r"""Reciprocal of the input.

    .. math:: y = \frac{1}{x}, \qquad \frac{dy}{dx} = -\frac{1}{x^2} = -y^2

    Examples
    --------
    >>> reciprocal = Reciprocal()
    >>> reciprocal.forward([2.0, 4.0])
    array([0.5 , 0.25])
    >>> reciprocal.backward([1.0, 1.0])
    array([-0.25  , -0.0625])
    """

    formula = Formula("1 / x", "-(1 / x**2)", symbol="1/x")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        y = 1 / x
        return y, y

    def derivative(self, y: Any) -> Any:
        return -y * y


class Square(Elementwise):
    r"""Square of the input.

    .. math:: y = x^2, \qquad \frac{dy}{dx} = 2 x

    Examples
    --------
    >>> square = Square()
    >>> square.forward([3.0, -4.0])
    array([ 9., 16.])
    >>> square.backward([1.0, 1.0])
    array([ 6., -8.])
    """

    formula = Formula("x**2", "2 * x", symbol="x²")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return x * x, x

    def derivative(self, x: Any) -> Any:
        return 2 * x


class Sqrt(Elementwise):
    r"""Square root.

    .. math:: y = \sqrt x, \qquad \frac{dy}{dx} = \frac{1}{2 \sqrt x}

    The square root of a negative number is NaN; the derivative at 0 is infinite.

    Examples
    --------
    >>> sqrt = Sqrt()
    >>> sqrt.forward([4.0, 16.0])
    array([2., 4.])
    >>> sqrt.backward([1.0, 1.0])
    array([0.25 , 0.125])
    """

    formula = Formula("sqrt(x)", "1 / (2 * sqrt(x))", symbol="√x")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        y = np.sqrt(x)
        return y, y

    def derivative(self, y: Any) -> Any:
        return 0.5 / y


class Power(Elementwise):
    r"""Input raised to a constant power.

    .. math:: y = x^p, \qquad \frac{dy}{dx} = p\, x^{p - 1}

    For p = 0 the derivative is 0 everywhere, as in PyTorch. A negative number to a
    fractional power is NaN.

    Parameters
    ----------
    exponent : float
        The power p.

    Examples
    --------
    >>> cube = Power(3)
    >>> cube.forward([1.0, -2.0])
    array([ 1., -8.])
    >>> cube.backward([1.0, 1.0])
    array([ 3., 12.])
    """

    formula = Formula("x**exponent", "exponent * x**(exponent - 1)")

    quiet = True

    def __init__(self, exponent: float) -> None:
        self.exponent = check_number("exponent", exponent)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return x**self.exponent, x

    def derivative(self, x: Any) -> Any:
        if self.exponent == 0:
            return np.zeros_like(x)[()]
        return self.exponent * x ** (self.exponent - 1)
