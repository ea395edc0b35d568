"""Functions of the layers' names, which build nodes of a graph: ``exp(x)`` is ``Exp()(x)``.

Given arrays instead of nodes they compute.

>>> exp([0.0, 1.0]).round(3)
array([1.   , 2.718])
"""

from __future__ import annotations

from typing import Any

from nnlayers.layers.activations import Sigmoid, Softplus, Tanh
from nnlayers.layers.arithmetic import MatMul, Maximum
from nnlayers.layers.elementary import Exp, Log, Power, Reciprocal, Sqrt, Square
from nnlayers.layers.rectifiers import ReLU
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.shaping import Concatenate, Reshape
from nnlayers.layers.softmax import LogSoftmax, Softmax

__all__ = [
    "concatenate",
    "exp",
    "log",
    "log_softmax",
    "matmul",
    "maximum",
    "mean",
    "power",
    "reciprocal",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "sum",
    "tanh",
]


def exp(x: Any) -> Any:
    """Return :math:`e^x`, by :class:`~nnlayers.Exp`."""
    return Exp()(x)


def log(x: Any) -> Any:
    """Return the natural logarithm, by :class:`~nnlayers.Log`."""
    return Log()(x)


def sqrt(x: Any) -> Any:
    """Return the square root, by :class:`~nnlayers.Sqrt`."""
    return Sqrt()(x)


def square(x: Any) -> Any:
    """Return :math:`x^2`, by :class:`~nnlayers.Square`."""
    return Square()(x)


def reciprocal(x: Any) -> Any:
    """Return 1 / x, by :class:`~nnlayers.Reciprocal`."""
    return Reciprocal()(x)


def power(x: Any, exponent: float) -> Any:
    """Return x to a constant exponent, by :class:`~nnlayers.Power`."""
    return Power(exponent)(x)


def sigmoid(x: Any) -> Any:
    """Return :math:`1 / (1 + e^{-x})`, by :class:`~nnlayers.Sigmoid`."""
    return Sigmoid()(x)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent, by :class:`~nnlayers.Tanh`."""
    return Tanh()(x)


def softplus(x: Any, beta: float = 1.0) -> Any:
    r"""Return :math:`\log(1 + e^{\beta x}) / \beta`, by :class:`~nnlayers.Softplus`."""
    return Softplus(beta)(x)


def relu(x: Any) -> Any:
    """Return max(x, 0), by :class:`~nnlayers.ReLU`."""
    return ReLU()(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """Return probabilities along an axis, by :class:`~nnlayers.Softmax`."""
    return Softmax(axis)(x)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return logarithms of probabilities along an axis, by :class:`~nnlayers.LogSoftmax`."""
    return LogSoftmax(axis)(x)


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two, entry by entry, by :class:`~nnlayers.Maximum`."""
    return Maximum()(a, b)


def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product, by :class:`~nnlayers.MatMul`; nodes also take ``@``."""
    return MatMul()(a, b)


def concatenate(*inputs: Any, axis: int = -1) -> Any:
    """Join along an axis, by :class:`~nnlayers.Concatenate`."""
    return Concatenate(axis)(*inputs)


def sum(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Add up along axes, by :class:`~nnlayers.Sum`."""
    return Sum(axis, keepdims)(x)


def mean(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Average along axes, by :class:`~nnlayers.Mean`."""
    return Mean(axis, keepdims)(x)


def reshape(x: Any, shape: int | tuple[int, ...]) -> Any:
    """Give each row another shape, by :class:`~nnlayers.Reshape`."""
    return Reshape(shape)(x)
