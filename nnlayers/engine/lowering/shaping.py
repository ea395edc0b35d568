"""Lower layers that move numbers: shapes, residual connections, embeddings and noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.draws import LEVELS, count_dropped, draw_survivors
from nnlayers.engine.kernels import arithmetic, copying, embedding, noise, rectifiers
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer, lowers
from nnlayers.engine.program import Buffer
from nnlayers.layers import (
    Dropout,
    Embedding,
    EntityEmbedding,
    Flatten,
    GaussianNoise,
    Reshape,
    Residual,
)


@lowers(Flatten)
def _flatten(build: ProgramBuilder, layer: Flatten, x: Buffer) -> Buffer:
    return x.reshaped((math.prod(x.shape),))


@lowers(Reshape)
def _reshape(build: ProgramBuilder, layer: Reshape, x: Buffer) -> Buffer:
    try:
        shape = np.empty((1, *x.shape), np.int8).reshape(1, *layer.shape).shape[1:]
    except ValueError:
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}") from None
    return x.reshaped(shape)


@lowers(Residual)
def _residual(build: ProgramBuilder, layer: Residual, x: Buffer) -> Buffer:
    inner = Buffer(x.memory, x.shape, base=x.origin)
    if x.grad is not None:
        inner.grad = build.rows(x.shape)
        # This runs last, because it is added first.
        build.backward(arithmetic.accumulate, inner.grad, x.grad)
    f = inner
    for item in layer:
        f = lower_layer(build, item, f)
    if f.shape != x.shape:
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    y = build.like(x)
    build.forward(arithmetic.add, x, f, y)
    if x.grad is None:
        y.grad = f.grad
    elif f.grad is not None:
        # The inner layers turn a gradient in place, so they get a copy.
        build.open_group()
        build.backward(copying.copy, x.grad, f.grad)
    return y


@lowers(Embedding)
def _embedding(build: ProgramBuilder, layer: Embedding, x: Buffer) -> Buffer:
    if x.memory.dtype != np.int64:
        raise UnsupportedError(f"the layer {layer!r} behind another one")
    dW = build.gradient(layer.W)
    y = build.rows((*x.shape, layer.dim), needs_grad=dW is not None)
    build.forward(embedding.embedding, x, layer.W.value, y)
    if dW is not None:
        build.backward(embedding.embedding_gradient, x, y.grad, dW)
    return y


@lowers(EntityEmbedding)
def _entity_embedding(build: ProgramBuilder, layer: EntityEmbedding, x: Buffer) -> Buffer:
    if not x.shape or x.shape[-1] <= max(layer.columns, default=-1):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    others = [column for column in range(x.shape[-1]) if column not in layer.columns]
    columns, start = np.array(others, np.int64), len(others)
    gradients = [build.gradient(W) for W in layer.W]
    needs_grad = x.grad is not None or any(dW is not None for dW in gradients)
    width = start + sum(W.shape[1] for W in layer.W)
    y = build.rows((*x.shape[:-1], width), needs_grad=needs_grad)
    build.forward(embedding.numbers, x, columns, y)
    if x.grad is not None:
        build.backward(embedding.numbers_backward, columns, y.grad, x.grad)
    for column, W, dW in zip(layer.columns, layer.W, gradients, strict=True):
        build.forward(embedding.entities, x, column, W.value, start, y)
        if dW is not None:
            build.backward(embedding.entities_gradient, x, column, y.grad, start, dW)
        start += W.shape[1]
    return y


@lowers(Dropout)
def _dropout(build: ProgramBuilder, layer: Dropout, x: Buffer) -> Buffer:
    dropped = count_dropped(layer.rate)
    if not build.trains(layer) or dropped == 0:
        return x
    scale = LEVELS / (LEVELS - dropped)
    survives = build.draw(layer, x.shape, np.uint8, _survivors(x.shape, dropped))
    if build.take_backward(rectifiers.relu_backward, x, x.grad):
        # ReLU needs no more of its output than which entries are 0, and neither has a gradient.
        build.forward(noise.dropout_in_place, survives, scale, x)
        build.backward(noise.rectified_dropout_backward, x, scale, x.grad)
        return x
    y = build.like(x)
    build.forward(noise.dropout, x, survives, scale, y)
    if y.grad is not None:
        build.backward(noise.dropout_backward, survives, scale, y.grad)
    return y


@lowers(GaussianNoise)
def _gaussian_noise(build: ProgramBuilder, layer: GaussianNoise, x: Buffer) -> Buffer:
    if not build.trains(layer) or layer.std == 0:
        return x
    draws = build.draw(layer, x.shape, build.dtype, _normal(build, x.shape))
    y = build.like(x)
    build.forward(noise.add_noise, x, draws, float(layer.std), y)
    return y


def _survivors(shape: tuple[int, ...], dropped: int) -> Callable[[np.random.Generator, int], Array]:
    return lambda rng, rows: draw_survivors(rng, (rows, *shape), dropped)


def _normal(
    build: ProgramBuilder, shape: tuple[int, ...]
) -> Callable[[np.random.Generator, int], Array]:
    is_first = not build.has_parameters

    def draw(rng: np.random.Generator, rows: int) -> Array:
        # Draws in float64 are other numbers than those in float32.
        dtype: Any = build.first_dtype if is_first else build.dtype
        return rng.standard_normal((rows, *shape), dtype=dtype)

    return draw
