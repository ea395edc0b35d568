"""Lower activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnlayers.engine.kernel import helper
from nnlayers.engine.kernels import activations, elementary, gated, rectifiers, softmax
from nnlayers.engine.kernels.elementwise import (
    ElementwiseKernels,
    elementwise,
    scale_gradient,
)
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lowers
from nnlayers.engine.program import Buffer
from nnlayers.layer import Layer
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Exp,
    HardTanh,
    Identity,
    LeakyReLU,
    Log,
    LogSoftmax,
    Mish,
    Negative,
    PReLU,
    Reciprocal,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Tanh,
)

__all__ = ["lower_elementwise", "lowers_elementwise", "register_elementwise"]


def register_elementwise(
    cls: type[Layer],
    value: Callable[..., Any],
    derivative: Callable[..., Any],
    parameters: Sequence[str] = (),
) -> None:
    r"""Let the compiled engine train networks with an elementwise layer of the user.

    The layer computes :math:`y_i = f(x_i)`, and has no weights. Its class still needs ``forward``
    and ``backward``, with which NumPy computes everything but the steps of a training.

    Parameters
    ----------
    cls : type
        The layer's class.
    value, derivative : callable
        f and its derivative, as functions of one number x, which is float32 or float64, and of the
        parameters. They may use arithmetic, comparisons, conditional expressions, ``abs``, and the
        functions of :mod:`nnlayers.engine.functions` and :mod:`nnlayers.engine.primitives`. Numba
        compiles them.
    parameters : sequence of str
        The names of the layer's attributes, each a number, that both functions take after x.

    Examples
    --------
    >>> import nnlayers as nn
    >>> from nnlayers.engine import register_elementwise
    >>> class Parabola(nn.Layer):
    ...     def __init__(self, a=1.0):
    ...         self.a = a
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return self.a * x * x
    ...
    ...     def backward(self, dout):
    ...         return 2 * self.a * self.x * dout
    >>> register_elementwise(Parabola, lambda x, a: a * x * x, lambda x, a: 2.0 * a * x, ["a"])
    """
    f, slope = helper(value), helper(derivative)

    def both(x: Any, *numbers: Any) -> tuple[Any, Any]:
        return f(x, *numbers), slope(x, *numbers)

    both.__name__, both.__module__ = cls.__name__, cls.__module__
    lowers_elementwise(cls, elementwise(both), *parameters)


def lowers_elementwise(cls: type[Layer], kernels: ElementwiseKernels, *parameters: str) -> None:
    """Register the kernels of a layer that acts entry by entry.

    Parameters
    ----------
    cls : type
        The layer's class.
    kernels : ElementwiseKernels
        Its function.
    *parameters : str
        The names of the layer's attributes that the function takes after x.
    """

    def lower(build: ProgramBuilder, layer: Layer, x: Buffer) -> Buffer:
        values = [float(getattr(layer, name)) for name in parameters]
        return lower_elementwise(build, x, kernels, *values)

    lowers(cls)(lower)


def lower_elementwise(
    build: ProgramBuilder, x: Buffer, kernels: ElementwiseKernels, *parameters: float
) -> Buffer:
    """Add the instructions of y = f(x) for each entry; return y."""
    bias = None if x.grad is None else build.take_bias(x)
    if bias is not None:
        slope = build.rows(x.shape)
        build.forward(kernels.forward_of_sum, x, bias, slope, *parameters)
        build.backward(scale_gradient, slope, x.grad)
        return x
    y = build.like(x)
    if y.grad is None:
        build.forward(kernels.predict, x, y, *parameters)
    else:
        slope = build.rows(x.shape)
        build.forward(kernels.forward, x, y, slope, *parameters)
        build.backward(scale_gradient, slope, y.grad)
    return y


lowers_elementwise(ELU, rectifiers.elu, "alpha")
lowers_elementwise(Exp, elementary.exp)
lowers_elementwise(HardTanh, activations.hard_tanh)
lowers_elementwise(LeakyReLU, rectifiers.leaky_relu, "negative_slope")
lowers_elementwise(Log, elementary.log)
lowers_elementwise(Mish, gated.mish)
lowers_elementwise(Negative, elementary.negative)
lowers_elementwise(Reciprocal, elementary.reciprocal)
lowers_elementwise(SELU, rectifiers.selu)
lowers_elementwise(SiLU, gated.silu)
lowers_elementwise(Sigmoid, activations.sigmoid)
lowers_elementwise(Softplus, activations.softplus, "beta")
lowers_elementwise(Softsign, activations.softsign)
lowers_elementwise(Sqrt, elementary.sqrt)
lowers_elementwise(Square, elementary.square)
lowers_elementwise(Tanh, activations.tanh)


@lowers(Identity)
def _identity(build: ProgramBuilder, layer: Identity, x: Buffer) -> Buffer:
    return x


@lowers(GELU)
def _gelu(build: ProgramBuilder, layer: GELU, x: Buffer) -> Buffer:
    kernels = gated.gelu if layer.approximate == "none" else gated.gelu_tanh
    return lower_elementwise(build, x, kernels)


@lowers(ReLU)
def _relu(build: ProgramBuilder, layer: ReLU, x: Buffer) -> Buffer:
    bias = build.take_bias(x)
    if bias is not None:
        y = x
        build.forward(rectifiers.relu_of_sum, y, bias)
    else:
        y = build.like(x)
        build.forward(rectifiers.relu, x, y)
    if y.grad is not None:
        build.backward(rectifiers.relu_backward, y, y.grad)
    return y


@lowers(PReLU)
def _prelu(build: ProgramBuilder, layer: PReLU, x: Buffer) -> Buffer:
    if layer.features > 1 and x.shape[-1:] != (layer.features,):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    forward, backward = (
        (rectifiers.prelu, rectifiers.prelu_backward)
        if layer.features > 1
        else (rectifiers.shared_prelu, rectifiers.shared_prelu_backward)
    )
    da = build.gradient(layer.a)
    y = build.like(x) if x.grad is not None else build.rows(x.shape, needs_grad=da is not None)
    build.forward(forward, x, layer.a.value, y)
    if y.grad is not None:
        none = np.zeros(0, build.dtype)
        build.backward(backward, x, layer.a.value, y.grad, none if da is None else da)
    return y


@lowers(Softmax)
def _softmax(build: ProgramBuilder, layer: Softmax, x: Buffer) -> Buffer:
    _, e, p = _exponentials(build, layer, x)
    y = build.like(x)
    build.forward(softmax.softmax, e, p, y)
    if y.grad is not None:
        build.backward(softmax.softmax_backward, p, y.grad)
    return y


@lowers(LogSoftmax)
def _log_softmax(build: ProgramBuilder, layer: LogSoftmax, x: Buffer) -> Buffer:
    below, e, p = _exponentials(build, layer, x)
    y = build.like(x)
    build.forward(softmax.log_softmax, below, e, p, y)
    if y.grad is not None:
        build.backward(softmax.log_softmax_backward, p, y.grad)
    return y


def _exponentials(
    build: ProgramBuilder, layer: Softmax | LogSoftmax, x: Buffer
) -> tuple[Buffer, Buffer, Buffer]:
    """Return x minus the largest entry of each row, its exponentials, and memory for more."""
    if layer.axis not in (-1, len(x.shape)) or x.shape[-1:] in ((), (0,)):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    below, e, p = (build.rows(x.shape, np.float64) for _ in range(3))
    build.forward(softmax.subtract_largest, x, below)
    build.forward(softmax.exponentials, below, e)
    return below, e, p
