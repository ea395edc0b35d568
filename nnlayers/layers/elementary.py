"""Elementary functions of one input: nodes of a computational graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers._core.checks import check_number
from nnlayers._core.formula import Formula
from nnlayers.layers.operation import Elementwise

__all__ = [
    "Abs",
    "Clip",
    "Cos",
    "Exp",
    "Log",
    "Negative",
    "Power",
    "Reciprocal",
    "Sin",
    "Sqrt",
    "Square",
]


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

    formula = Formula("-x", "-1", symbol="−")

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


class Abs(Elementwise):
    r"""Absolute value.

    .. math:: y = |x|, \qquad \frac{dy}{dx} = \begin{cases}
        1 & x > 0 \\ 0 & x = 0 \\ -1 & x < 0 \end{cases}

    The derivative at 0 is 0, as in PyTorch.

    Examples
    --------
    >>> layer = Abs()
    >>> layer.forward([-2.0, 0.0, 3.0])
    array([2., 0., 3.])
    >>> layer.backward([1.0, 1.0, 1.0])
    array([-1.,  0.,  1.])
    """

    formula = Formula("abs(x)", "one(x > 0) - one(x < 0)", symbol="|x|")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return np.abs(x), x

    def derivative(self, x: Any) -> Any:
        # Unlike the sign, this is 0 for NaN, as in PyTorch.
        return np.subtract(x > 0, x < 0, dtype=x.dtype)


class Clip(Elementwise):
    r"""Input limited to the range from `low` to `high`.

    .. math:: y = \min(\max(x, \text{low}), \text{high}), \qquad
        \frac{dy}{dx} = 1(\text{low} \le x \le \text{high})

    The derivative at the limits is 1, as that of PyTorch's ``clamp``.

    Parameters
    ----------
    low, high : float or None
        The limits; None is no limit.

    Raises
    ------
    TypeError, ValueError
        If a limit is not a finite number, `low` is above `high`, or both are None.

    Examples
    --------
    >>> clip = Clip(-1, 1)
    >>> clip.forward([-3.0, 0.5, 1.0])
    array([-1. ,  0.5,  1. ])
    >>> clip.backward([1.0, 1.0, 1.0])
    array([0., 1., 1.])
    >>> Clip(low=0).forward([-3.0, 3.0])
    array([0., 3.])
    """

    # A limit beyond the largest float32 is infinite there.
    quiet = True

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low = None if low is None else check_number("low", low)
        self.high = None if high is None else check_number("high", high)
        if self.low is None and self.high is None:
            raise ValueError("low or high must be a number, got None for both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must be at most high, got {self.low} and {self.high}")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return x.clip(self.low, self.high), x

    def compute_backward(self, dout: Any, x: Any) -> Any:
        # A product with the derivative would be NaN where dout is infinite and the derivative 0.
        return np.where(self.derivative(x), dout, dout.dtype.type(0))[()]

    def derivative(self, x: Any) -> Any:
        is_within = x == x
        if self.low is not None:
            is_within = x >= self.low
        if self.high is not None:
            is_within = is_within & (x <= self.high)
        return is_within

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        if type(self) is not Clip:
            return super().formula_for(*shapes)
        if self.high is None:
            return _CLIPPED_BELOW
        return _CLIPPED_ABOVE if self.low is None else _CLIPPED


_CLIPPED = Formula("min(max(x, low), high)", "one(low <= x <= high)", symbol="clip")
_CLIPPED_BELOW = Formula("max(x, low)", "one(x >= low)", symbol="clip")
_CLIPPED_ABOVE = Formula("min(x, high)", "one(x <= high)", symbol="clip")


class Sin(Elementwise):
    r"""Sine of an angle in radians.

    .. math:: y = \sin x, \qquad \frac{dy}{dx} = \cos x

    Examples
    --------
    >>> sin = Sin()
    >>> sin.forward([0.0, np.pi / 2]).round(3)
    array([0., 1.])
    >>> sin.backward([1.0, 1.0]).round(3)
    array([1., 0.])
    """

    formula = Formula("sin(x)", "cos(x)", symbol="sin")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return np.sin(x), x

    def derivative(self, x: Any) -> Any:
        return np.cos(x)


class Cos(Elementwise):
    r"""Cosine of an angle in radians.

    .. math:: y = \cos x, \qquad \frac{dy}{dx} = -\sin x

    Examples
    --------
    >>> cos = Cos()
    >>> cos.forward([0.0, np.pi / 2]).round(3)
    array([1., 0.])
    >>> cos.backward([1.0, 1.0]).round(3)
    array([-0., -1.])
    """

    formula = Formula("cos(x)", "-sin(x)", symbol="cos")

    quiet = True

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        return np.cos(x), x

    def derivative(self, x: Any) -> Any:
        return -np.sin(x)
