"""Functions named after layers that build nodes of a graph: ``exp(x)`` is ``Exp()(x)``.

With arrays instead of nodes they return arrays.

>>> exp([0.0, 1.0]).round(3)
array([1.   , 2.718])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.layers.activations import Sigmoid, Softplus, Tanh
from nnlayers.layers.arithmetic import MatMul
from nnlayers.layers.choices import Maximum, Minimum, Where
from nnlayers.layers.elementary import (
    Abs,
    Clip,
    Cos,
    Exp,
    Log,
    Power,
    Reciprocal,
    Sin,
    Sqrt,
    Square,
)
from nnlayers.layers.rectifiers import ReLU
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.shaping import Concatenate, Reshape
from nnlayers.layers.softmax import LogSoftmax, Softmax

if TYPE_CHECKING:
    from nnlayers.graphs.node import Node

__all__ = [
    "abs",
    "clip",
    "concatenate",
    "cos",
    "exp",
    "log",
    "log_softmax",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "power",
    "reciprocal",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "sum",
    "tanh",
    "where",
]


@overload
def exp(x: Node) -> Node: ...
@overload
def exp(x: npt.ArrayLike) -> Array: ...
def exp(x: Any) -> Any:
    """Return the exponential :math:`e^x`, by :class:`~nnlayers.Exp`."""
    return Exp()(x)


@overload
def log(x: Node) -> Node: ...
@overload
def log(x: npt.ArrayLike) -> Array: ...
def log(x: Any) -> Any:
    """Return the natural logarithm, by :class:`~nnlayers.Log`."""
    return Log()(x)


@overload
def sqrt(x: Node) -> Node: ...
@overload
def sqrt(x: npt.ArrayLike) -> Array: ...
def sqrt(x: Any) -> Any:
    """Return the square root, by :class:`~nnlayers.Sqrt`."""
    return Sqrt()(x)


@overload
def square(x: Node) -> Node: ...
@overload
def square(x: npt.ArrayLike) -> Array: ...
def square(x: Any) -> Any:
    """Return the square :math:`x^2`, by :class:`~nnlayers.Square`."""
    return Square()(x)


@overload
def reciprocal(x: Node) -> Node: ...
@overload
def reciprocal(x: npt.ArrayLike) -> Array: ...
def reciprocal(x: Any) -> Any:
    """Return the reciprocal 1 / x, by :class:`~nnlayers.Reciprocal`."""
    return Reciprocal()(x)


@overload
def power(x: Node, exponent: float) -> Node: ...
@overload
def power(x: npt.ArrayLike, exponent: float) -> Array: ...
def power(x: Any, exponent: float) -> Any:
    """Return the power of x with a constant exponent, by :class:`~nnlayers.Power`."""
    return Power(exponent)(x)


@overload
def abs(x: Node) -> Node: ...
@overload
def abs(x: npt.ArrayLike) -> Array: ...
def abs(x: Any) -> Any:
    """Return the absolute value, by :class:`~nnlayers.Abs`."""
    return Abs()(x)


@overload
def sin(x: Node) -> Node: ...
@overload
def sin(x: npt.ArrayLike) -> Array: ...
def sin(x: Any) -> Any:
    """Return the sine of an angle in radians, by :class:`~nnlayers.Sin`."""
    return Sin()(x)


@overload
def cos(x: Node) -> Node: ...
@overload
def cos(x: npt.ArrayLike) -> Array: ...
def cos(x: Any) -> Any:
    """Return the cosine of an angle in radians, by :class:`~nnlayers.Cos`."""
    return Cos()(x)


@overload
def clip(x: Node, low: float | None = ..., high: float | None = ...) -> Node: ...
@overload
def clip(x: npt.ArrayLike, low: float | None = ..., high: float | None = ...) -> Array: ...
def clip(x: Any, low: float | None = None, high: float | None = None) -> Any:
    """Limit x to the range from low to high, by :class:`~nnlayers.Clip`; None is no limit."""
    return Clip(low, high)(x)


@overload
def sigmoid(x: Node) -> Node: ...
@overload
def sigmoid(x: npt.ArrayLike) -> Array: ...
def sigmoid(x: Any) -> Any:
    """Return the logistic sigmoid :math:`1 / (1 + e^{-x})`, by :class:`~nnlayers.Sigmoid`."""
    return Sigmoid()(x)


@overload
def tanh(x: Node) -> Node: ...
@overload
def tanh(x: npt.ArrayLike) -> Array: ...
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent, by :class:`~nnlayers.Tanh`."""
    return Tanh()(x)


@overload
def softplus(x: Node, beta: float = ...) -> Node: ...
@overload
def softplus(x: npt.ArrayLike, beta: float = ...) -> Array: ...
def softplus(x: Any, beta: float = 1.0) -> Any:
    r"""Return softplus :math:`\log(1 + e^{\beta x}) / \beta`, by :class:`~nnlayers.Softplus`."""
    return Softplus(beta)(x)


@overload
def relu(x: Node) -> Node: ...
@overload
def relu(x: npt.ArrayLike) -> Array: ...
def relu(x: Any) -> Any:
    """Return the rectifier max(x, 0), by :class:`~nnlayers.ReLU`."""
    return ReLU()(x)


@overload
def softmax(x: Node, axis: int = ...) -> Node: ...
@overload
def softmax(x: npt.ArrayLike, axis: int = ...) -> Array: ...
def softmax(x: Any, axis: int = -1) -> Any:
    """Return softmax probabilities along an axis, by :class:`~nnlayers.Softmax`."""
    return Softmax(axis)(x)


@overload
def log_softmax(x: Node, axis: int = ...) -> Node: ...
@overload
def log_softmax(x: npt.ArrayLike, axis: int = ...) -> Array: ...
def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return the logarithm of the softmax along an axis, by :class:`~nnlayers.LogSoftmax`."""
    return LogSoftmax(axis)(x)


@overload
def maximum(a: Node, b: Node | npt.ArrayLike) -> Node: ...
@overload
def maximum(a: npt.ArrayLike, b: Node) -> Node: ...
@overload
def maximum(a: npt.ArrayLike, b: npt.ArrayLike) -> Array: ...
def maximum(a: Any, b: Any) -> Any:
    """Return the elementwise maximum of two inputs, by :class:`~nnlayers.Maximum`."""
    return Maximum()(a, b)


@overload
def minimum(a: Node, b: Node | npt.ArrayLike) -> Node: ...
@overload
def minimum(a: npt.ArrayLike, b: Node) -> Node: ...
@overload
def minimum(a: npt.ArrayLike, b: npt.ArrayLike) -> Array: ...
def minimum(a: Any, b: Any) -> Any:
    """Return the elementwise minimum of two inputs, by :class:`~nnlayers.Minimum`."""
    return Minimum()(a, b)


@overload
def where(condition: Node | npt.ArrayLike, a: Node, b: Node | npt.ArrayLike) -> Node: ...
@overload
def where(condition: Node | npt.ArrayLike, a: npt.ArrayLike, b: Node) -> Node: ...
@overload
def where(condition: Node, a: npt.ArrayLike, b: npt.ArrayLike) -> Node: ...
@overload
def where(condition: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Array: ...
def where(condition: Any, a: Any, b: Any) -> Any:
    """Choose a where the condition is true, else b, by :class:`~nnlayers.Where`."""
    return Where()(condition, a, b)


@overload
def matmul(a: Node, b: Node | npt.ArrayLike) -> Node: ...
@overload
def matmul(a: npt.ArrayLike, b: Node) -> Node: ...
@overload
def matmul(a: npt.ArrayLike, b: npt.ArrayLike) -> Array: ...
def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product, by :class:`~nnlayers.MatMul`; nodes also take ``@``."""
    return MatMul()(a, b)


@overload
def concatenate(first: Node, /, *inputs: Node | npt.ArrayLike, axis: int = ...) -> Node: ...
@overload
def concatenate(
    first: npt.ArrayLike, second: Node, /, *inputs: Node | npt.ArrayLike, axis: int = ...
) -> Node: ...
@overload
def concatenate(*inputs: npt.ArrayLike, axis: int = ...) -> Array: ...
def concatenate(*inputs: Any, axis: int = -1) -> Any:
    """Concatenate inputs along an axis, by :class:`~nnlayers.Concatenate`."""
    return Concatenate(axis)(*inputs)


@overload
def sum(x: Node, axis: int | tuple[int, ...] | None = ..., keepdims: bool = ...) -> Node: ...
@overload
def sum(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = ..., keepdims: bool = ...
) -> Array: ...
def sum(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Sum over axes, by :class:`~nnlayers.Sum`."""
    return Sum(axis, keepdims)(x)


@overload
def mean(x: Node, axis: int | tuple[int, ...] | None = ..., keepdims: bool = ...) -> Node: ...
@overload
def mean(
    x: npt.ArrayLike, axis: int | tuple[int, ...] | None = ..., keepdims: bool = ...
) -> Array: ...
def mean(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Average over axes, by :class:`~nnlayers.Mean`."""
    return Mean(axis, keepdims)(x)


@overload
def reshape(x: Node, shape: int | tuple[int, ...]) -> Node: ...
@overload
def reshape(x: npt.ArrayLike, shape: int | tuple[int, ...]) -> Array: ...
def reshape(x: Any, shape: int | tuple[int, ...]) -> Any:
    """Reshape each row, by :class:`~nnlayers.Reshape`."""
    return Reshape(shape)(x)
