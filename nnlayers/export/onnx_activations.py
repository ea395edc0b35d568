"""Rules for ONNX of the activations.

Their numbers agree with the layers everywhere. Where a runtime's own operator is right only to an
absolute error, as `Sigmoid`, `Elu`, `Mish` and `LogSoftmax` are, the activation is written in
operators that are right to a relative one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT64
from nnlayers._core.tree import join
from nnlayers.export import gaussian
from nnlayers.export.onnx_builder import OnnxBuilder, polynomial
from nnlayers.export.program import Instruction
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Clip,
    HardTanh,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
)

__all__ = ["RULES", "Rule", "log_1_plus"]

# A rule adds the nodes of an instruction, whose layer it also gets, and returns the result's name.
Rule: TypeAlias = Callable[..., str]
RULES: Rules[Rule] = Rules("ONNX")


@RULES.add(Sigmoid)
def _sigmoid(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return _logistic(b, i.output.dtype, x)


def _logistic(b: OnnxBuilder, dtype: np.dtype[Any], x: str) -> str:
    n = b.op("Exp", b.op("Min", x, b.number(40, dtype)))
    return b.op("Div", n, b.op("Add", n, b.number(1, dtype)))


@RULES.add(Softplus)
def _softplus(b: OnnxBuilder, i: Instruction, layer: Softplus, x: str) -> str:
    dtype = i.output.dtype
    if layer.beta != 1:
        # The exponential enlarges the rounding of the product.
        wide = x if dtype == FLOAT64 else b.cast(x, FLOAT64)
        beta = b.number(layer.beta, FLOAT64)
        y = b.op("Div", _softplus_of(b, FLOAT64, b.op("Mul", wide, beta)), beta)
        return y if dtype == FLOAT64 else b.cast(y, dtype)
    return _softplus_of(b, dtype, x)


def _softplus_of(b: OnnxBuilder, dtype: np.dtype[Any], x: str) -> str:
    e = b.op("Exp", b.op("Neg", b.op("Abs", x)))
    return b.op("Add", b.op("Relu", x), log_1_plus(b, dtype, e))


@RULES.add(Softsign)
def _softsign(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    c = _clip(b, i, x, -1e30, 1e30)
    return b.op("Div", c, b.op("Add", b.op("Abs", c), b.number(1, i.output.dtype)))


@RULES.add(HardTanh)
def _hard_tanh(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return _clip(b, i, x, -1, 1)


@RULES.add(Clip)
def _clip_rule(b: OnnxBuilder, i: Instruction, layer: Clip, x: str) -> str:
    return _clip(b, i, x, layer.low, layer.high)


def _clip(b: OnnxBuilder, i: Instruction, x: str, low: float | None, high: float | None) -> str:
    """Return x within limits; a runtime's own Clip makes infinity finite without a limit."""
    if low is not None:
        x = b.op("Max", x, b.number(low, i.output.dtype))
    return x if high is None else b.op("Min", x, b.number(high, i.output.dtype))


@RULES.add(LeakyReLU)
def _leaky_relu(b: OnnxBuilder, i: Instruction, layer: LeakyReLU, x: str) -> str:
    slope = layer.negative_slope
    if slope == 0:
        return b.op("Relu", x)
    below = b.op("Mul", x, b.number(slope, i.output.dtype))
    return b.op("Max" if slope <= 1 else "Min", x, below)


@RULES.add(PReLU)
def _prelu(b: OnnxBuilder, i: Instruction, layer: PReLU, x: str) -> str:
    below = b.op("Min", x, b.number(0, i.output.dtype))
    scaled = b.op("Mul", below, b.weight(layer.a, join(i.path, "a")))
    y = b.op("Add", b.op("Relu", x), scaled)
    # A slope of shape (1,) gives a number an axis.
    return y if i.inputs[0].shape else b.op("Squeeze", y)


@RULES.add(ELU, SELU)
def _elu(b: OnnxBuilder, i: Instruction, layer: ELU, x: str) -> str:
    dtype = i.output.dtype
    below = _exp_minus_1(b, dtype, b.op("Min", x, b.number(0, dtype)))
    y = b.op("Add", b.op("Relu", x), b.op("Mul", below, b.number(layer.alpha, dtype)))
    return b.op("Mul", y, b.number(layer.scale, dtype)) if isinstance(layer, SELU) else y


def _exp_minus_1(b: OnnxBuilder, dtype: np.dtype[Any], x: str) -> str:
    """Return exp(x) - 1 for x of at most 0 without cancellation: 2h / (1 - h), h = tanh(x/2)."""
    h = b.op("Tanh", b.op("Mul", x, b.number(0.5, dtype)))
    return b.op("Div", b.op("Add", h, h), b.op("Sub", b.number(1, dtype), h))


@RULES.add(SiLU)
def _silu(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return _gated(b, i, x, _logistic(b, i.output.dtype, x))


@RULES.add(Mish)
def _mish(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    dtype = i.output.dtype
    two = b.number(2, dtype)
    n = b.op("Exp", b.op("Min", x, b.number(40, dtype)))
    p = b.op("Mul", n, b.op("Add", n, two))
    return _gated(b, i, x, b.op("Div", p, b.op("Add", p, two)))


@RULES.add(GELU)
def _gelu(b: OnnxBuilder, i: Instruction, layer: GELU, x: str) -> str:
    dtype = i.output.dtype
    if layer.approximate == "none":
        return _gated(b, i, x, _normal(b, dtype, x))
    # The exponential enlarges the rounding of its argument.
    wide = x if dtype == FLOAT64 else b.cast(x, FLOAT64)
    twice_u = 2 * (2 / np.pi) ** 0.5
    inner = b.op("Mul", b.op("Mul", wide, wide), b.number(0.044715 * twice_u, FLOAT64))
    argument = b.op("Mul", b.op("Add", inner, b.number(twice_u, FLOAT64)), wide)
    gate = _logistic(b, FLOAT64, argument)
    return _gated(b, i, x, gate if dtype == FLOAT64 else b.cast(gate, dtype))


def _gated(b: OnnxBuilder, i: Instruction, x: str, gate: str) -> str:
    """Return x times a gate; far below 0, where the gate is closed, even for minus infinity."""
    return b.op("Mul", b.op("Max", x, b.number(-1000, i.output.dtype)), gate)


def _normal(b: OnnxBuilder, dtype: np.dtype[Any], x: str) -> str:
    """Return the probability that a normal draw is below x, see :mod:`.gaussian`."""
    one = b.number(1, dtype)
    scaled = b.op("Mul", b.op("Abs", x), b.number(gaussian.SCALE, dtype))
    t = b.op("Reciprocal", b.op("Add", scaled, one))
    s = b.op("Sub", b.op("Add", t, t), one)
    q = polynomial(b, dtype, gaussian.tail_coefficients(dtype), s)
    exponent = b.op("Mul", b.op("Mul", x, x), b.number(-0.5, dtype))
    tail = b.op("Mul", b.op("Mul", q, t), b.op("Exp", exponent))
    is_above = b.op("Greater", x, b.number(0, dtype))
    return b.op("Where", is_above, b.op("Sub", one, tail), tail)


@RULES.add(Softmax)
def _softmax(b: OnnxBuilder, i: Instruction, layer: Softmax, x: str) -> str:
    return b.op("Softmax", x, axis=layer.axis)


@RULES.add(LogSoftmax)
def _log_softmax(b: OnnxBuilder, i: Instruction, layer: LogSoftmax, x: str) -> str:
    axis, dtype = layer.axis, i.output.dtype
    top = b.op("ArgMax", x, axis=axis, keepdims=1)
    shifted = b.op("Sub", x, b.op("GatherElements", x, top, axis=axis))
    # The sum leaves the largest entry out, exp(0) = 1, so that log(1 + sum) is exact near 0.
    zero = b.op("GatherElements", shifted, top, axis=axis)
    others = b.op("ScatterElements", b.op("Exp", shifted), top, zero, axis=axis)
    total = b.op("ReduceSum", others, b.integers([axis]), keepdims=1)
    return b.op("Sub", shifted, log_1_plus(b, dtype, total))


def log_1_plus(b: OnnxBuilder, dtype: np.dtype[Any], x: str) -> str:
    """Return log(1 + x), exact for small x too: log(w) x / (w - 1) with w = 1 + x rounded."""
    one = b.number(1, dtype)
    w = b.op("Add", x, one)
    difference = b.op("Sub", w, one)
    is_tiny = b.op("Equal", difference, b.number(0, dtype))
    divisor = b.op("Where", is_tiny, one, difference)
    return b.op("Where", is_tiny, x, b.op("Div", b.op("Mul", b.op("Log", w), x), divisor))
