"""The layers that stand for ONNX operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.rebuilding import rebuilding
from nnlayers.export.onnx_arguments import Arguments, OperatorError, Rule, apply, apply_to_two
from nnlayers.export.onnx_functions import FUNCTIONS
from nnlayers.graphs import Input, Node
from nnlayers.layer import Layer
from nnlayers.layers import (
    GELU,
    Abs,
    Add,
    Affine,
    Compare,
    Concatenate,
    Cos,
    Divide,
    Embedding,
    Exp,
    Flatten,
    Index,
    Log,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Mish,
    Multiply,
    Negative,
    Power,
    Reciprocal,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Sin,
    Softplus,
    Softsign,
    Sqrt,
    Subtract,
    Sum,
    Tanh,
    Transpose,
    Where,
)

__all__ = ["OPERATORS"]

OPERATORS: dict[str, Rule] = dict(FUNCTIONS)


def _reads(*names: str) -> Callable[[Rule], Rule]:
    """Return the decorator of the function that reads these operators."""

    def decorate(rule: Rule) -> Rule:
        OPERATORS.update(dict.fromkeys(names, rule))
        return rule

    return decorate


_LAYERS: dict[str, Callable[[], Layer]] = {
    "Abs": Abs,
    "Cos": Cos,
    "Exp": Exp,
    "Log": Log,
    "Mish": Mish,
    "Neg": Negative,
    "Reciprocal": Reciprocal,
    "Relu": ReLU,
    "Sigmoid": Sigmoid,
    "Sin": Sin,
    "Softplus": Softplus,
    "Softsign": Softsign,
    "Sqrt": Sqrt,
    "Tanh": Tanh,
}
OPERATORS |= {name: partial(apply, make) for name, make in _LAYERS.items()}

_BINARY: dict[str, Callable[[], Layer]] = {
    "Div": Divide,
    "Greater": partial(Compare, ">"),
    "GreaterOrEqual": partial(Compare, ">="),
    "Less": partial(Compare, "<"),
    "LessOrEqual": partial(Compare, "<="),
    "Max": Maximum,
    "Min": Minimum,
    "Sub": Subtract,
}
OPERATORS |= {name: partial(apply_to_two, make) for name, make in _BINARY.items()}


class _Erf(NamedTuple):
    """The error function of x / sqrt(2) on the way to a GELU, x (1 + erf(x / sqrt(2))) / 2.

    Attributes
    ----------
    x : Node
        The input of the GELU.
    has_one, has_x, has_half : bool
        Whether 1 was added, and the products with x and 1/2 were taken.
    """

    x: Node
    has_one: bool = False
    has_x: bool = False
    has_half: bool = False


@_reads("Erf")
def _erf(a: Arguments) -> Any:
    for layer, factor in ((Divide, math.sqrt(2)), (Multiply, math.sqrt(0.5))):
        x = _other_factor(a.x, layer, factor)
        if x is not None:
            return _Erf(x)
    raise OperatorError("Erf is read as a part of GELU only")


@_reads("Add")
def _add(a: Arguments) -> Any:
    x, other = a.inputs
    if isinstance(x, np.ndarray):
        x, other = other, x
    if isinstance(x, _Erf) and not x.has_one and _is_number(other, 1):
        return x._replace(has_one=True)
    index = 0 if x is a.inputs[0] else 1
    if isinstance(other, np.ndarray) and isinstance(x, Node) and a.uses[index] == 1:
        affine = x.layer
        if isinstance(affine, Affine) and affine.b is None and _is_row(other, affine.out_features):
            return _affine(affine.W.value, other)(x.parents[0])
    return apply_to_two(Add, a)


@_reads("Mul")
def _multiply(a: Arguments) -> Any:
    for x, other in (a.inputs, a.inputs[::-1]):
        if isinstance(x, _Erf):
            return _gelu_product(x, other)
    for x, gate in (a.inputs, a.inputs[::-1]):
        if isinstance(gate, Node) and isinstance(gate.layer, Sigmoid) and gate.parents[0] is x:
            return SiLU()(x)
        if isinstance(gate, Node) and isinstance(gate.layer, Tanh):
            inner = gate.parents[0]
            if isinstance(inner.layer, Softplus) and inner.parents[0] is x:
                return Mish()(x)
    return apply_to_two(Multiply, a)


def _gelu_product(erf: _Erf, other: Any) -> Any:
    """Return the product of a step towards a GELU with one of its other factors."""
    if not erf.has_one:
        raise OperatorError("Erf is read as a part of GELU only")
    if _is_number(other, 0.5):
        erf = erf._replace(has_half=True)
    elif other is erf.x:
        erf = erf._replace(has_x=True)
    elif isinstance(other, Node) and _other_factor(other, Multiply, 0.5) is erf.x:
        erf = erf._replace(has_half=True, has_x=True)
    else:
        raise OperatorError("Erf is read as a part of GELU only")
    return GELU()(erf.x) if erf.has_half and erf.has_x else erf


def _other_factor(node: Node, layer: type[Layer], number: float) -> Node | None:
    """Return x of a node x * number, or x / number; None if it is something else."""
    if not isinstance(node.layer, layer):
        return None
    x, other = node.parents
    if isinstance(x, Input) and x.content is not None and layer is Multiply:
        x, other = other, x
    return x if isinstance(other, Input) and _is_number(other.content, number) else None


def _is_number(array: Any, number: float) -> bool:
    """Return whether a constant is one number, to the rounding of float32."""
    if not isinstance(array, np.ndarray | float) or np.size(array) != 1:
        return False
    return math.isclose(float(np.reshape(array, ())), number, rel_tol=1e-6)


def _is_row(array: Array, length: int) -> bool:
    """Return whether an array adds a row of some length to each row."""
    return array.size in (1, length) and array.shape[-1:] in ((), (1,), (length,))


def _affine(W: Array, b: Array | None) -> Affine:
    """Return a layer of some weights."""
    dtype = np.result_type(W, *([] if b is None else [b]))
    with rebuilding(W.size + W.shape[1]):
        layer = Affine(*W.shape, bias=b is not None, dtype=dtype)
    layer.W.value = W
    if layer.b is not None and b is not None:
        layer.b.value = np.broadcast_to(b.reshape(-1), layer.b.shape)
    return layer


@_reads("MatMul")
def _matmul(a: Arguments) -> Any:
    if isinstance(a.inputs[1], np.ndarray) and a.inputs[1].ndim == 2:
        return _affine(a.weights(1), None)(a.x)
    return apply_to_two(MatMul, a)


@_reads("Gemm")
def _gemm(a: Arguments) -> Any:
    if a.attributes.get("transA", 0):
        raise OperatorError("transA must be 0")
    W = a.weights(1)
    W = W.dtype.type(a.number("alpha", 1)) * (W.T if a.attributes.get("transB", 0) else W)
    if W.ndim != 2:
        raise OperatorError(f"its weights must have two axes, got shape {W.shape}")
    b = None
    if a.constant(2) is not None:
        b = a.weights(2)
        if not _is_row(b, W.shape[1]):
            raise OperatorError(f"its bias must be a row of {W.shape[1]}, got shape {b.shape}")
        b = b.dtype.type(a.number("beta", 1)) * b
    return _affine(W, b)(a.x)


@_reads("Gather")
def _gather(a: Arguments) -> Any:
    axis = a.attributes.get("axis", 0)
    table = a.inputs[0]
    if isinstance(table, np.ndarray):
        if axis != 0 or table.ndim != 2:
            raise OperatorError(
                f"it must choose rows of a matrix, got axis {axis} of {table.shape}"
            )
        W = a.weights(0)
        with rebuilding(W.size):
            layer = Embedding(*W.shape, dtype=W.dtype)
        layer.W.value = W
        return layer(a.node(1))
    if axis < 0:
        raise OperatorError(f"its axis must be counted from the first, got {axis}")
    return Index((*[slice(None)] * axis, a.constant(1)[()]))(a.x)


@_reads("Pow")
def _power(a: Arguments) -> Any:
    exponent = a.constant(1)
    if np.size(exponent) != 1:
        raise OperatorError(f"its exponent must be one number, got shape {np.shape(exponent)}")
    return Power(float(np.reshape(exponent, ())))(a.x)


@_reads("Where")
def _where(a: Arguments) -> Any:
    first = next((item for item in a.inputs if isinstance(item, Node)), a.x)
    return first.apply(Where(), a.inputs)


@_reads("Identity", "Dropout")
def _identity(a: Arguments) -> Any:
    if a.constant(2) is not None and a.constant(2).any():
        raise OperatorError("training_mode must be false")
    return a.inputs[0]


@_reads("Cast")
def _cast(a: Arguments) -> Any:
    # The layers compute in the wider of the dtypes that meet, as they do between such casts.
    known = (a.onnx.TensorProto.FLOAT, a.onnx.TensorProto.DOUBLE)
    if a.attributes["to"] not in known:
        raise OperatorError("it must cast to float32 or float64")
    return a.x


@_reads("Constant")
def _constant(a: Arguments) -> Any:
    ((name, value),) = a.attributes.items()
    if name == "value":
        if value.external_data:
            raise OperatorError("its value is in another file")
        return a.onnx.numpy_helper.to_array(value)
    if name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise OperatorError("its value must be of numbers")


@_reads("Flatten")
def _flatten(a: Arguments) -> Any:
    if a.attributes.get("axis", 1) != 1:
        raise OperatorError(f"its axis must be 1, got {a.attributes['axis']}")
    return Flatten()(a.x)


@_reads("Reshape")
def _reshape(a: Arguments) -> Any:
    first, *row = [int(length) for length in np.ravel(a.constant(1))]
    if first not in (0, -1) or 0 in row or [first, *row].count(-1) > 1 or not row:
        raise OperatorError(f"it must keep the first axis, got the shape {[first, *row]}")
    return Reshape(tuple(row))(a.x)


@_reads("Transpose")
def _transpose(a: Arguments) -> Any:
    axes = a.attributes.get("perm")
    return Transpose(None if axes is None else tuple(axes))(a.x)


@_reads("Concat")
def _concatenate(a: Arguments) -> Any:
    first = next((item for item in a.inputs if isinstance(item, Node)), a.x)
    return first.apply(Concatenate(a.attributes["axis"]), a.inputs)


def _reduce(make: Callable[..., Layer], a: Arguments) -> Any:
    axes = a.constant(1, a.attributes.get("axes"))
    axis = None if axes is None else tuple(int(item) for item in np.ravel(axes))
    return make(axis, bool(a.attributes.get("keepdims", 1)))(a.x)


OPERATORS |= {"ReduceMean": partial(_reduce, Mean), "ReduceSum": partial(_reduce, Sum)}
