"""Rules for Python: how each layer is written in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.export import numpy_functions as functions
from nnlayers.export.program import Cast, Instruction
from nnlayers.export.python_builder import PythonBuilder
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Affine,
    BatchNorm,
    Clip,
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
    HardTanh,
    Identity,
    Index,
    LayerNorm,
    LeakyReLU,
    Log,
    LogSoftmax,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Mish,
    Multiply,
    Negative,
    Power,
    PReLU,
    Reciprocal,
    ReLU,
    Reshape,
    RMSNorm,
    Sigmoid,
    SiLU,
    Sin,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Subtract,
    Sum,
    Tanh,
    Transpose,
    Where,
)

__all__ = ["RULES"]

# A function of the builder, the instruction and the names of its inputs, which returns the
# expression of the output.
Rule: TypeAlias = Callable[..., str]

RULES: Rules[Rule] = Rules("Python")

_EXPRESSIONS: Mapping[type, str] = {
    Abs: "np.abs({0})",
    Add: "{0} + {1}",
    Cos: "np.cos({0})",
    Divide: "{0} / {1}",
    Dropout: "{0}",
    Exp: "np.exp({0})",
    Flatten: "{0}.reshape(len({0}), int(np.prod({0}.shape[1:])))",
    GaussianNoise: "{0}",
    HardTanh: "{0}.clip(-1, 1)",
    Identity: "{0}",
    Log: "np.log({0})",
    MatMul: "{0} @ {1}",
    Maximum: "np.maximum({0}, {1})",
    Minimum: "np.minimum({0}, {1})",
    Multiply: "{0} * {1}",
    Negative: "-{0}",
    ReLU: "np.maximum({0}, 0)",
    Reciprocal: "1 / {0}",
    Sin: "np.sin({0})",
    Sqrt: "np.sqrt({0})",
    Square: "{0} * {0}",
    Subtract: "{0} - {1}",
    Tanh: "np.tanh({0})",
    Where: "np.where({0} != 0, {1}, {2})",
}

# Layers that are a function of `numpy_functions`, and the attributes that are its arguments.
_CALLS: Mapping[type, tuple[Callable[..., Any], tuple[str, ...]]] = {
    ELU: (functions.elu, ("alpha",)),
    LeakyReLU: (functions.leaky_relu, ("negative_slope",)),
    LogSoftmax: (functions.log_softmax, ("axis",)),
    Mean: (functions.mean, ("axis", "keepdims")),
    Mish: (functions.mish, ()),
    Sigmoid: (functions.sigmoid, ()),
    SiLU: (functions.silu, ()),
    Softmax: (functions.softmax, ("axis",)),
    Softplus: (functions.softplus, ("beta",)),
    Softsign: (functions.softsign, ()),
}


def _expression_rule(text: str) -> Rule:
    return lambda builder, instruction, *names: text.format(*names)


def _call_rule(function: Callable[..., Any], attributes: tuple[str, ...]) -> Rule:
    def rule(builder: PythonBuilder, instruction: Instruction, *names: str) -> str:
        values = [repr(getattr(instruction.layer, name)) for name in attributes]
        return f"{builder.use(function)}({', '.join([*names, *values])})"

    return rule


for _kind, _text in _EXPRESSIONS.items():
    RULES.add(_kind)(_expression_rule(_text))
for _kind, _call in _CALLS.items():
    RULES.add(_kind)(_call_rule(*_call))


@RULES.add(Affine)
def _affine(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: Affine = instruction.layer
    product = f"{x} @ {builder.constant(layer.W.value, 'W')}"
    return product if layer.b is None else f"{product} + {builder.constant(layer.b.value, 'W')}"


@RULES.add(BatchNorm)
def _batch_norm(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: BatchNorm = instruction.layer
    with np.errstate(all="ignore"):
        inverse_std = 1 / np.sqrt(layer.running_var + layer.eps)
    arrays = (layer.running_mean, inverse_std, layer.gamma.value, layer.beta.value)
    mean, scale, gamma, beta = (builder.constant(array, "W") for array in arrays)
    return f"({x} - {mean}) * {scale} * {gamma} + {beta}"


@RULES.add(LayerNorm, RMSNorm)
def _layer_norm(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: LayerNorm | RMSNorm = instruction.layer
    gamma = builder.constant(layer.gamma.value, "W")
    if isinstance(layer, LayerNorm):
        beta = builder.constant(layer.beta.value, "W")
        return f"{builder.use(functions.layer_norm)}({x}, {gamma}, {beta}, {layer.eps!r})"
    eps = float(np.finfo(layer.gamma.dtype).eps) if layer.eps is None else layer.eps
    return f"{builder.use(functions.rms_norm)}({x}, {gamma}, {eps!r})"


@RULES.add(PReLU)
def _prelu(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    slopes = builder.constant(instruction.layer.a.value, "W")
    return f"np.maximum({x}, 0) + {slopes} * np.minimum({x}, 0)"


@RULES.add(SELU)
def _selu(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: SELU = instruction.layer
    return f"{layer.scale!r} * {builder.use(functions.elu)}({x}, {layer.alpha!r})"


@RULES.add(GELU)
def _gelu(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    exact = instruction.layer.approximate == "none"
    return f"{builder.use(functions.gelu if exact else functions.gelu_tanh)}({x})"


@RULES.add(Clip)
def _clip(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: Clip = instruction.layer
    return f"{x}.clip({layer.low!r}, {layer.high!r})"


@RULES.add(Compare)
def _compare(builder: PythonBuilder, instruction: Instruction, a: str, b: str) -> str:
    return f"({a} {instruction.layer.sign} {b}).astype(np.{instruction.output.dtype})"


@RULES.add(Power)
def _power(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    return f"{x} ** {instruction.layer.exponent!r}"


@RULES.add(Sum)
def _sum(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: Sum = instruction.layer
    return f"{x}.sum(axis={layer.axis!r}, keepdims={layer.keepdims!r})"


@RULES.add(Cast)
def _cast(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    return f"{x}.astype(np.{instruction.layer.dtype})"


@RULES.add(Embedding)
def _embedding(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    weights = builder.constant(instruction.layer.W.value, "W")
    return f"{builder.use(functions.vectors)}({weights}, {x})"


@RULES.add(EntityEmbedding)
def _entity_embedding(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    layer: EntityEmbedding = instruction.layer
    weights = ", ".join(builder.constant(parameter.value, "W") for parameter in layer.W)
    return f"{builder.use(functions.entity_vectors)}({x}, {layer.columns!r}, [{weights}])"


@RULES.add(Reshape)
def _reshape(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    lengths = instruction.output.shape[1:]
    shape = instruction.layer.shape if None in lengths else lengths
    return f"{x}.reshape({', '.join([f'len({x})', *map(str, shape)])})"


@RULES.add(Transpose)
def _transpose(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    axes = instruction.layer.axes
    return f"{x}.transpose({'' if axes is None else axes})"


@RULES.add(Concatenate)
def _concatenate(builder: PythonBuilder, instruction: Instruction, *names: str) -> str:
    return f"np.concatenate([{', '.join(names)}], axis={instruction.layer.axis})"


@RULES.add(Index)
def _index(builder: PythonBuilder, instruction: Instruction, x: str) -> str:
    key = instruction.layer.key
    if not isinstance(key, tuple):
        return f"{x}[{_part(builder, key)}]"
    parts = ", ".join(_part(builder, part) for part in key)
    return f"{x}[{parts}{',' if len(key) == 1 else ''}]" if key else f"{x}[()]"


def _part(builder: PythonBuilder, part: int | slice | EllipsisType | Array | None) -> str:
    """Return a part of an index."""
    if isinstance(part, slice):
        bounds = [part.start, part.stop, part.step]
        texts = ["" if bound is None else str(bound) for bound in bounds]
        return ":".join(texts if texts[2] else texts[:2])
    if isinstance(part, np.ndarray):
        return builder.constant(part)
    return "..." if part is Ellipsis else str(part)
