"""Rules for ONNX: how each layer is written in operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnlayers._core.tree import join
from nnlayers.export import onnx_activations
from nnlayers.export.onnx_activations import Rule
from nnlayers.export.onnx_builder import OnnxBuilder
from nnlayers.export.program import Cast, Instruction, Program, Value
from nnlayers.export.row_indices import row_indices
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    Abs,
    Add,
    Affine,
    BatchNorm,
    Compare,
    Concatenate,
    Cos,
    Divide,
    Dropout,
    Embedding,
    EntityEmbedding,
    Exp,
    Flatten,
    GaussianNoise,
    Identity,
    Index,
    LayerNorm,
    Log,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Multiply,
    Negative,
    Power,
    Reciprocal,
    ReLU,
    Reshape,
    RMSNorm,
    Sin,
    Sqrt,
    Square,
    Subtract,
    Sum,
    Tanh,
    Transpose,
    Where,
)

__all__ = ["RULES", "add_instructions"]

RULES: Rules[Rule] = Rules("ONNX", onnx_activations.RULES)

_OPERATORS: dict[type, str] = {
    Abs: "Abs",
    Add: "Add",
    Cos: "Cos",
    Divide: "Div",
    Exp: "Exp",
    Log: "Log",
    MatMul: "MatMul",
    Maximum: "Max",
    Minimum: "Min",
    Multiply: "Mul",
    Negative: "Neg",
    Reciprocal: "Reciprocal",
    ReLU: "Relu",
    Sin: "Sin",
    Sqrt: "Sqrt",
    Subtract: "Sub",
    Tanh: "Tanh",
}
_COMPARISONS = {">": "Greater", ">=": "GreaterOrEqual", "<": "Less", "<=": "LessOrEqual"}


@RULES.add(*_OPERATORS)
def _operator(b: OnnxBuilder, i: Instruction, layer: Any, *inputs: str) -> str:
    return b.op(_OPERATORS[i.kind], *inputs)


@RULES.add(Identity, Dropout, GaussianNoise)
def _identity(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return x


@RULES.add(Cast)
def _cast(b: OnnxBuilder, i: Instruction, layer: Cast, x: str) -> str:
    return b.cast(x, layer.dtype)


@RULES.add(Affine)
def _affine(b: OnnxBuilder, i: Instruction, layer: Affine, x: str) -> str:
    weight = b.weight(layer.W, join(i.path, "W"))
    bias = None if layer.b is None else b.weight(layer.b, join(i.path, "b"))
    if len(i.output.shape) == 2:
        return b.op("Gemm", x, weight, *([bias] if bias else []))
    y = b.op("MatMul", x, weight)
    return b.op("Add", y, bias) if bias else y


@RULES.add(Embedding)
def _embedding(b: OnnxBuilder, i: Instruction, layer: Embedding, x: str) -> str:
    return b.op("Gather", b.weight(layer.W, join(i.path, "W")), x)


@RULES.add(EntityEmbedding)
def _entity_embedding(b: OnnxBuilder, i: Instruction, layer: EntityEmbedding, x: str) -> str:
    width = int(i.inputs[0].shape[-1] or 0)
    others = [column for column in range(width) if column not in layer.columns]
    blocks = [b.op("Gather", x, b.integers(others), axis=-1)] if others else []
    for index, (column, vectors) in enumerate(zip(layer.columns, layer.W, strict=True)):
        ids = b.cast(b.op("Gather", x, b.integer(column), axis=-1), np.dtype(np.int64))
        blocks.append(b.op("Gather", b.weight(vectors, join(i.path, f"W.{index}")), ids))
    return b.op("Concat", *blocks, axis=-1)


@RULES.add(BatchNorm)
def _batch_norm(b: OnnxBuilder, i: Instruction, layer: BatchNorm, x: str) -> str:
    centered = b.op("Sub", x, b.array(layer.running_mean, join(i.path, "running_mean")))
    # Runtimes compute the inverse deviation once, when they load the file.
    var = b.array(layer.running_var, join(i.path, "running_var"))
    std = b.op("Sqrt", b.op("Add", var, b.number(layer.eps, i.output.dtype)))
    normalized = b.op("Mul", centered, b.op("Reciprocal", std))
    scaled = b.op("Mul", normalized, b.weight(layer.gamma, join(i.path, "gamma")))
    return b.op("Add", scaled, b.weight(layer.beta, join(i.path, "beta")))


@RULES.add(LayerNorm)
def _layer_norm(b: OnnxBuilder, i: Instruction, layer: LayerNorm, x: str) -> str:
    centered = b.op("Sub", x, _row_mean(b, x))
    normalized = b.op("Mul", centered, _inverse_root_mean_square(b, i, layer.eps, centered))
    scaled = b.op("Mul", normalized, b.weight(layer.gamma, join(i.path, "gamma")))
    return b.op("Add", scaled, b.weight(layer.beta, join(i.path, "beta")))


@RULES.add(RMSNorm)
def _rms_norm(b: OnnxBuilder, i: Instruction, layer: RMSNorm, x: str) -> str:
    eps = np.finfo(i.output.dtype).eps if layer.eps is None else layer.eps
    normalized = b.op("Mul", x, _inverse_root_mean_square(b, i, float(eps), x))
    return b.op("Mul", normalized, b.weight(layer.gamma, join(i.path, "gamma")))


def _row_mean(b: OnnxBuilder, x: str) -> str:
    return b.op("ReduceMean", x, b.integers([-1]), keepdims=1)


def _inverse_root_mean_square(b: OnnxBuilder, i: Instruction, eps: float, x: str) -> str:
    """Return 1 / sqrt(mean(x^2) + eps) of each row, NaN where the squares overflow."""
    squares = b.op("Add", _row_mean(b, b.op("Mul", x, x)), b.number(eps, i.output.dtype))
    return b.op("Div", b.op("Sqrt", squares), squares)


@RULES.add(Square)
def _square(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return b.op("Mul", x, x)


@RULES.add(Power)
def _power(b: OnnxBuilder, i: Instruction, layer: Power, x: str) -> str:
    if layer.exponent == 0.5:  # As in NumPy; the power of minus infinity is infinity.
        return b.op("Sqrt", x)
    return b.op("Pow", x, b.number(layer.exponent, i.output.dtype))


@RULES.add(Sum, Mean)
def _reduce(b: OnnxBuilder, i: Instruction, layer: Sum, x: str) -> str:
    operator = "ReduceMean" if i.kind is Mean else "ReduceSum"
    axis = (layer.axis,) if isinstance(layer.axis, int) else layer.axis
    if axis == ():
        return x
    axes = [] if axis is None else [b.integers(axis)]
    return b.op(operator, x, *axes, keepdims=int(layer.keepdims))


@RULES.add(Flatten)
def _flatten(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    return b.op("Flatten", x)


@RULES.add(Reshape)
def _reshape(b: OnnxBuilder, i: Instruction, layer: Any, x: str) -> str:
    # A length of 0 stands for that of the input.
    shape = [0, *[int(length or 0) for length in i.output.shape[1:]]]
    return b.op("Reshape", x, b.integers(shape))


@RULES.add(Concatenate)
def _concatenate(b: OnnxBuilder, i: Instruction, layer: Concatenate, *inputs: str) -> str:
    return b.op("Concat", *inputs, axis=layer.axis)


@RULES.add(Transpose)
def _transpose(b: OnnxBuilder, i: Instruction, layer: Transpose, x: str) -> str:
    axes = range(len(i.output.shape))
    order = reversed(axes) if layer.axes is None else [axis % len(axes) for axis in layer.axes]
    return b.op("Transpose", x, perm=list(order))


@RULES.add(Where)
def _where(b: OnnxBuilder, i: Instruction, layer: Any, condition: str, x: str, y: str) -> str:
    is_zero = b.op("Equal", condition, b.number(0, i.inputs[0].dtype))
    return b.op("Where", is_zero, y, x)


@RULES.add(Compare)
def _compare(b: OnnxBuilder, i: Instruction, layer: Compare, x: str, y: str) -> str:
    return b.cast(b.op(_COMPARISONS[layer.sign], x, y), i.output.dtype)


@RULES.add(Index)
def _index(b: OnnxBuilder, i: Instruction, layer: Index, x: str) -> str:
    row = i.inputs[0].shape[1:]
    indices = row_indices(layer, row)
    if indices is not None:
        flat = b.op("Flatten", x) if len(row) != 1 else x
        return b.op("Gather", flat, b.array(indices, "indices"), axis=1)
    parts = layer.key if isinstance(layer.key, tuple) else (layer.key,)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if arrays and len(parts) == 1 and arrays[0].dtype != bool:
        return b.op("Gather", x, b.array(arrays[0], "indices"), axis=0)
    if arrays:
        raise RULES.error(i, "its key chooses rows by an array, and has other parts")
    return _basic_index(b, x, parts, len(i.inputs[0].shape))


def _basic_index(b: OnnxBuilder, x: str, parts: tuple[Any, ...], axes: int) -> str:
    """Return x at integers, slices, new axes and an ellipsis."""
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis not in parts:
        parts = (*parts, Ellipsis)
    position = parts.index(Ellipsis)
    full = [slice(None)] * (axes - used)
    parts = (*parts[:position], *full, *parts[position + 1 :])
    existing = [part for part in parts if part is not None]
    for axis, part in enumerate(existing):
        if isinstance(part, slice):
            if part != slice(None):
                x = _slice(b, x, part, axis)
        else:
            # A slice of one entry; -1 ends at the end, not before the first entry.
            x = _slice(b, x, slice(part, part + 1 if part != -1 else None), axis)
    integers = [axis for axis, part in enumerate(existing) if not isinstance(part, slice)]
    if integers:
        x = b.op("Squeeze", x, b.integers(integers))
    remaining = [part for part in parts if part is None or isinstance(part, slice)]
    new = [axis for axis, part in enumerate(remaining) if part is None]
    return b.op("Unsqueeze", x, b.integers(new)) if new else x


def _slice(b: OnnxBuilder, x: str, part: slice, axis: int) -> str:
    step = 1 if part.step is None else part.step
    end = np.iinfo(np.int64)
    start = part.start if part.start is not None else (0 if step > 0 else end.max)
    stop = part.stop if part.stop is not None else (end.max if step > 0 else end.min)
    return b.op("Slice", x, *[b.integers([int(item)]) for item in (start, stop, axis, step)])


def add_instructions(b: OnnxBuilder, program: Program, inputs: Sequence[str]) -> dict[Value, str]:
    """Add the nodes of a program, and return the names of all values."""
    names = dict(zip(program.inputs, inputs, strict=True))
    names |= {value: b.array(value.array, value.name) for value in program.constants}
    for instruction in program.instructions:
        arguments = [names[value] for value in instruction.inputs]
        b.scope = instruction.path
        rule = RULES[instruction.kind]
        names[instruction.output] = rule(b, instruction, instruction.layer, *arguments)
    b.scope = ""
    return names
