"""Rules for C: layers that move, join and add up the entries of a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers.export.c_builder import CBuilder, Place
from nnlayers.export.c_loops import Access, contiguous, loop_nest
from nnlayers.export.c_text import c_type
from nnlayers.export.program import Instruction, Value
from nnlayers.export.row_indices import row_indices
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    Concatenate,
    Dropout,
    Flatten,
    GaussianNoise,
    Identity,
    Index,
    Mean,
    Reshape,
    Sum,
    Transpose,
)

__all__ = ["RULES", "Rule", "check_rows", "row_axes", "row_shape"]

Rule: TypeAlias = Callable[..., Place]

RULES: Rules[Rule] = Rules("C")

_MIXES_ROWS = "it mixes rows, and the function takes one row"


def row_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of one row of a value."""
    return tuple(length for length in value.shape[1:] if length is not None)


def check_rows(instruction: Instruction) -> None:
    """Raise an error unless a layer gives each row what it would give the row alone."""
    shape = instruction.output.shape
    if not shape or shape[0] is not None or None in shape[1:]:
        raise RULES.error(instruction, _MIXES_ROWS)


def row_axes(instruction: Instruction, axis: int | tuple[int, ...] | None) -> list[int]:
    """Return axes of a layer's input as axes of a row; an error if the rows are one of them."""
    rank = len(instruction.inputs[0].shape)
    axes = normalize_axis_tuple(range(rank) if axis is None else axis, rank)
    if 0 in axes:
        raise RULES.error(instruction, _MIXES_ROWS)
    return [axis - 1 for axis in axes]


@RULES.add(Identity, Dropout, GaussianNoise, Flatten, Reshape)
def _same_numbers(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    return _reshaped(x, instruction.output)


@RULES.add(Sum, Mean)
def _sum(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    axes = row_axes(instruction, instruction.layer.axis)
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    order = (*kept, *axes)
    steps, lengths = ([values[axis] for axis in order] for values in (contiguous(x.shape), x.shape))
    # In double, which has the accuracy of NumPy's sum by halves.
    total = builder.scratch(lengths[: len(kept)], FLOAT64)
    to_total = total.access((*contiguous(total.shape), *[0] * len(axes)))
    zero = loop_nest(total.shape, {"y": total.access()}, "{y} = 0;")
    added = loop_nest(lengths, {"y": to_total, "x": x.access(steps)}, "{y} += {x};")
    builder.add(zero + added, [x], [total])
    count = math.prod(lengths[len(kept) :])
    divisor = f" / {count}" if issubclass(instruction.kind, Mean) else ""
    dtype = instruction.output.dtype
    total = _reshaped(total, instruction.output)
    return builder.pointwise(total.shape, dtype, [total], f"({c_type(dtype)}){{0}}{divisor}")


@RULES.add(Concatenate)
def _concatenate(builder: CBuilder, instruction: Instruction, *inputs: Place) -> Place:
    (axis,) = row_axes(instruction, instruction.layer.axis)
    y = builder.scratch(row_shape(instruction.output), instruction.output.dtype)
    steps = contiguous(y.shape)
    lines, start = [], 0
    for x in inputs:
        accesses = {"y": Access(y.name, steps, start), "x": x.access()}
        lines += loop_nest(x.shape, accesses, "{y} = {x};")
        start += x.shape[axis] * steps[axis]
    builder.add(lines, inputs, [y])
    return y


@RULES.add(Transpose)
def _transpose(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    entries = instruction.layer.predict(np.arange(float(x.size)).reshape(1, *x.shape))
    return _gather(builder, x, entries[0].astype(int))


@RULES.add(Index)
def _index(builder: CBuilder, instruction: Instruction, x: Place) -> Place:
    entries = row_indices(instruction.layer, x.shape)
    if entries is None:
        raise RULES.error(instruction, _MIXES_ROWS)
    return _gather(builder, x, entries)


def _gather(builder: CBuilder, x: Place, entries: Array) -> Place:
    """Return the entries of an array with the given indices."""
    strides = _strides_of(entries)
    if strides is not None:
        return builder.copy(x, entries.shape, strides, int(entries.flat[0]) if entries.size else 0)
    y = builder.scratch(entries.shape, x.dtype)
    kind = np.uint16 if x.size <= 2**16 else np.int32
    table = builder.constant(entries.astype(kind)).name
    lines = [
        f"for (int i = 0; i < {y.size}; i++)",
        f"    {y.name}[i] = {x.entry(f'{table}[i]')};",
    ]
    builder.add(lines, [x], [y])
    return y


def _strides_of(entries: Array) -> list[int] | None:
    """Return the strides of indices that are evenly spaced along each axis, None for others."""
    if not entries.size:
        return [0] * entries.ndim
    first = entries.flat[0]
    strides = [
        int(entries.take(1, axis).flat[0] - first) if length > 1 else 0
        for axis, length in enumerate(entries.shape)
    ]
    even = np.full(entries.shape, first)
    for axis, step in enumerate(strides):
        even += step * np.indices(entries.shape)[axis]
    return strides if np.array_equal(even, entries) else None


def _reshaped(x: Place, value: Value) -> Place:
    """Return the same numbers in the shape of a value's row."""
    return Place(x.name, row_shape(value), x.dtype, x.start, None, x.is_scratch)
