"""Rules for C: how each layer is written for one row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64
from nnlayers.export import c_shaping
from nnlayers.export.c_builder import CBuilder, Place
from nnlayers.export.c_functions import EXPRESSIONS, ExpressionRule
from nnlayers.export.c_loops import contiguous, loop_nest
from nnlayers.export.c_shaping import Rule, row_axes, row_shape
from nnlayers.export.c_text import c_type, literal
from nnlayers.export.program import Instruction, Value
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    Affine,
    BatchNorm,
    Embedding,
    EntityEmbedding,
    LayerNorm,
    LogSoftmax,
    MatMul,
    PReLU,
    RMSNorm,
    Softmax,
)

__all__ = ["RULES"]

RULES: Rules[Rule] = Rules("C", c_shaping.RULES)


def _pointwise_rule(expression: ExpressionRule) -> Rule:
    def rule(builder: CBuilder, instruction: Instruction, *inputs: Place) -> Place:
        dtype = instruction.output.dtype
        text = expression(builder, instruction.layer, dtype)
        text = text.replace("$", "f" if dtype == FLOAT32 else "")
        rank = len(instruction.output.shape)
        rows = [_without_rows(x, rank) for x in inputs]
        return builder.pointwise(row_shape(instruction.output), dtype, rows, text)

    return rule


for _kind, _expression in EXPRESSIONS.items():
    RULES.add(_kind)(_pointwise_rule(_expression))


# A sum of more terms is added up in double: rounding in float grows with their number, to 1e-5 at
# 20,000 terms of one sign. Layers of so many inputs are not for devices without double.
_MOST_TERMS = 4096


def _total(builder: CBuilder, output: Value, terms: int) -> Place:
    """Return a new array for the sums that a layer gives, in a dtype that has their accuracy."""
    return builder.scratch(row_shape(output), FLOAT64 if terms > _MOST_TERMS else output.dtype)


def _rounded(builder: CBuilder, total: Place, output: Value) -> Place:
    """Return sums in the dtype of the output."""
    if total.dtype == output.dtype:
        return total
    return builder.pointwise(total.shape, output.dtype, [total], f"({c_type(output.dtype)}){{0}}")


@RULES.add(Affine)
def _affine(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    layer: Affine = instruction.layer
    n, m = layer.in_features, layer.out_features
    weights = builder.weight(layer.W.value, instruction, "W")
    y = _total(builder, instruction.output, n)
    rows = x.size // n
    bias = "0"
    if layer.b is not None:
        bias = builder.weight(layer.b.value, instruction, "b").entry("j")
    builder.products += x.size * m
    from_row, to_row = ([f"{width} * r"] if rows > 1 else [] for width in (n, m))
    target = y.entry(*to_row, "j")
    # The weights are read in their order, and the sums are independent of each other, so that a
    # compiler can compute several at a time.
    lines = [
        f"for (int j = 0; j < {m}; j++)",
        f"    {target} = {bias};",
        f"for (int i = 0; i < {n}; i++) {{",
        f"    const {c_type(y.dtype)} t = {x.entry(*from_row, 'i')};",
        f"    for (int j = 0; j < {m}; j++)",
        f"        {target} += t * {weights.entry(f'{m} * i', 'j')};",
        "}",
    ]
    builder.add(_repeated(lines, "r", rows), [x], [y])
    return _rounded(builder, y, instruction.output)


@RULES.add(MatMul)
def _matmul(builder: CBuilder, instruction: Instruction, a: Place, b: Place) -> Place:
    a, b = (_without_rows(x, max(len(instruction.output.shape), 3)) for x in (a, b))
    # A vector stands for a row on the left, and for a column on the right.
    left = a.shape if len(a.shape) > 1 else (1, *a.shape)
    right = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    n, k, m = left[-2], left[-1], right[-1]
    y = _total(builder, instruction.output, k)
    shape = (*batch, n, k, m)
    builder.products += math.prod(shape)
    steps = contiguous((*batch, n, m))
    accesses = {
        "y": y.access((*steps[:-2], m, 0, 1)),
        "a": a.access((*_batch_strides(left, batch), k, 1, 0)),
        "b": b.access((*_batch_strides(right, batch), 0, m, 1)),
    }
    zero = loop_nest(y.shape, {"y": y.access()}, "{y} = 0;")
    cast = "" if y.dtype == instruction.output.dtype else "(double)"
    builder.add(zero + loop_nest(shape, accesses, f"{{y}} += {cast}{{a}} * {{b}};"), [a, b], [y])
    return _rounded(builder, y, instruction.output)


@RULES.add(BatchNorm)
def _batch_norm(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    layer: BatchNorm = instruction.layer
    with np.errstate(all="ignore"):
        inverse_std = 1 / np.sqrt(layer.running_var + layer.eps)
        scale = (inverse_std * layer.gamma.value).astype(layer.gamma.dtype)
    arrays = {"running_mean": layer.running_mean, "scale": scale, "beta": layer.beta.value}
    places = [builder.weight(array, instruction, name) for name, array in arrays.items()]
    return builder.pointwise(x.shape, x.dtype, [x, *places], "({0} - {1}) * {2} + {3}")


_NORM = """
static void NAME(const T *x, T *y, int n, T eps, int centre, const T *gamma, const T *beta)
{
    double sum = 0, squares = 0;
    if (centre)
        for (int i = 0; i < n; i++)
            sum += x[i];
    const T mean = (T)sum / n;
    for (int i = 0; i < n; i++) {
        y[i] = x[i] - mean;
        squares += y[i] * y[i];
    }
    const T variance = (T)squares / n + eps, scale = sqrt$(variance) / variance;
    for (int i = 0; i < n; i++)
        y[i] = y[i] * scale * gamma[i] + (centre ? beta[i] : 0);
}
"""


@RULES.add(LayerNorm, RMSNorm)
def _layer_norm(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    layer: LayerNorm | RMSNorm = instruction.layer
    gamma = builder.weight(layer.gamma.value, instruction, "gamma")
    beta = gamma
    if isinstance(layer, LayerNorm):
        beta = builder.weight(layer.beta.value, instruction, "beta")
    eps = float(np.finfo(x.dtype).eps) if layer.eps is None else layer.eps
    name = builder.helper("norm", x.dtype, _NORM)
    y = builder.scratch(x.shape, x.dtype)
    n = layer.features
    rows = x.size // n
    start = "" if rows == 1 else f"{n} * r"
    arguments = [x.pointer(start), y.pointer(start), str(n), literal(eps, x.dtype)]
    arguments += [str(int(beta is not gamma)), gamma.name, beta.name]
    builder.add(_repeated([f"{name}({', '.join(arguments)});"], "r", rows), [x], [y])
    return y


@RULES.add(PReLU)
def _prelu(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    layer: PReLU = instruction.layer
    source = """
static T NAME(T x, T a)
{
    return (x < 0 ? 0 : x) + a * (x > 0 ? 0 : x);
}
"""
    slopes = builder.weight(layer.a.value, instruction, "a")
    name = builder.helper("prelu", x.dtype, source)
    return builder.pointwise(x.shape, x.dtype, [x, slopes], f"{name}({{0}}, {{1}})")


_LOOK_UP = """
/* Copy the vector of an id; an id that does not exist gives NaN. */
static void NAME(I x, const T *vectors, T *y, int count, int dim)
{
    const int id = x >= 0 && x < count ? (int)x : -1;
    for (int j = 0; j < dim; j++)
        y[j] = id < 0 ? NAN : vectors[dim * id + j];
}
"""


@RULES.add(Embedding)
def _embedding(builder: CBuilder, instruction: Instruction, ids: Place) -> Place:
    layer: Embedding = instruction.layer
    weights = builder.weight(layer.W.value, instruction, "W").name
    y = builder.scratch(row_shape(instruction.output), layer.W.dtype)
    name = builder.helper("embed", y.dtype, _LOOK_UP.replace("I x", f"{c_type(ids.dtype)} x"))
    vector = y.pointer(f"{layer.dim} * r" if ids.size > 1 else "")
    id_text = ids.entry("r" if ids.size > 1 else "0")
    call = f"{name}({id_text}, {weights}, {vector}, {layer.num_embeddings}, {layer.dim});"
    builder.add(_repeated([call], "r", ids.size), [ids], [y])
    return y


@RULES.add(EntityEmbedding)
def _entity_embedding(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    layer: EntityEmbedding = instruction.layer
    y = builder.scratch(row_shape(instruction.output), instruction.output.dtype)
    width, length = x.shape[-1], y.shape[-1]
    rows = x.size // width
    from_row, to_row = ([f"{size} * r"] if rows > 1 else [] for size in (width, length))
    others = [column for column in range(width) if column not in layer.columns]
    lines = [
        f"{y.entry(*to_row, str(index))} = {x.entry(*from_row, str(column))};"
        for index, column in enumerate(others)
    ]
    name = builder.helper("embed", y.dtype, _LOOK_UP.replace("I x", f"{c_type(x.dtype)} x"))
    start = len(others)
    for index, (column, parameter) in enumerate(zip(layer.columns, layer.W, strict=True)):
        weights = builder.weight(parameter.value, instruction, f"W.{index}").name
        count, dim = parameter.value.shape
        vector = y.pointer(" + ".join([*to_row, str(start)]))
        id_text = x.entry(*from_row, str(column))
        lines.append(f"{name}({id_text}, {weights}, {vector}, {count}, {dim});")
        start += dim
    builder.add(_repeated(lines, "r", rows), [x], [y])
    return y


_SOFTMAX = """
static void NAME(const T *x, T *y, int n, int step)
{
    double top = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        if (x[i * step] > top || x[i * step] != x[i * step])
            top = x[i * step];
    for (int i = 0; i < n; i++) {
        const double e = exp(x[i * step] - top);
        y[i * step] = (T)e;
        sum += e;
    }
    for (int i = 0; i < n; i++)
        y[i * step] = (T)(y[i * step] / sum);
}
"""

# The largest score contributes 1 to the sum, which would swallow small contributions.
_LOG_SOFTMAX = """
static void NAME(const T *x, T *y, int n, int step)
{
    int largest = 0;
    for (int i = 1; i < n; i++) {
        const T top = x[largest * step];
        if (x[i * step] > top || (x[i * step] != x[i * step] && top == top))
            largest = i;
    }
    const double top = x[largest * step];
    double sum = top - top;
    for (int i = 0; i < n; i++)
        if (i != largest)
            sum += exp(x[i * step] - top);
    for (int i = 0; i < n; i++)
        y[i * step] = (T)(x[i * step] - top - log1p(sum));
}
"""


@RULES.add(Softmax, LogSoftmax)
def _softmax(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    is_log = issubclass(instruction.kind, LogSoftmax)
    (axis,) = row_axes(instruction, instruction.layer.axis)
    source = _LOG_SOFTMAX if is_log else _SOFTMAX
    name = builder.helper("log_softmax" if is_log else "softmax", x.dtype, source)
    y = builder.scratch(x.shape, x.dtype)
    outer, n = math.prod(x.shape[:axis]), x.shape[axis]
    step = math.prod(x.shape[axis + 1 :])
    terms = [f"{n * step} * r"] if outer > 1 else []
    terms += ["s"] if step > 1 else []
    start = " + ".join(terms)
    call = f"{name}({x.pointer(start)}, {y.pointer(start)}, {n}, {step});"
    builder.add(_repeated(_repeated([call], "s", step), "r", outer if n else 0), [x], [y])
    return y


def _without_rows(x: Place, rank: int) -> Place:
    """Return a constant without the axis of length 1 that would be that of the rows."""
    if x.content is None or len(x.shape) < rank:
        return x
    return replace(x, shape=x.shape[1:])


def _batch_strides(shape: Sequence[int], batch: Sequence[int]) -> list[int]:
    """Return the strides of a matrix product's operand along the axes before the matrices."""
    own = [
        0 if length == 1 else step
        for length, step in zip(shape[:-2], contiguous(shape)[:-2], strict=True)
    ]
    return [0] * (len(batch) - len(own)) + own


def _repeated(
    lines: Sequence[str], variable: str, count: int, *, always: bool = False
) -> list[str]:
    """Return lines within a loop of so many rounds, without the loop if there is one round."""
    if count == 0 or (count == 1 and not always):
        return list(lines) if count else []
    header = f"for (int {variable} = 0; {variable} < {count}; {variable}++)"
    inner = [f"    {line}" for line in lines]
    return [header, *inner] if len(lines) == 1 else [f"{header} {{", *inner, "}"]
