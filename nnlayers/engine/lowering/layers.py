"""Lower layers: one line or a few for each, beside the kernels that they use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.kernels import affine
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer, lowers
from nnlayers.engine.program import Buffer
from nnlayers.layer import Layer
from nnlayers.layers import Affine, Embedding, Sequential

__all__ = ["add_products", "input_dtype"]

# Entries of W, and multiplications of a product and of a part of it, see `_rows_at_a_time`.
SMALL_MATRIX, SMALL_PRODUCT, PART = 1 << 14, 1 << 22, 1 << 18
# Entries of W up to which products by blocks pay.
MIDDLE_MATRIX = 1 << 18


def input_dtype(model: Layer, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a program reads inputs in: int64 for ids, else the parameters'."""
    while isinstance(model, Sequential) and len(model):
        model = model[0]
    return np.dtype(np.int64) if isinstance(model, Embedding) else dtype


@lowers(Sequential)
def _sequential(build: ProgramBuilder, layer: Sequential, x: Buffer) -> Buffer:
    for inner in layer:
        x = lower_layer(build, inner, x)
    return x


@lowers(Affine)
def _affine(build: ProgramBuilder, layer: Affine, x: Buffer) -> Buffer:
    if x.shape[-1:] != (layer.in_features,):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    W, b = layer.W, layer.b
    dW, db = build.gradient(W), build.gradient(b)
    needs_grad = x.grad is not None or dW is not None or db is not None
    y = build.rows((*x.shape[:-1], layer.out_features), needs_grad=needs_grad)
    if db is not None:
        build.backward(affine.bias_gradient, y.grad, db)
    add_products(build, x, W.value, dW, y)
    if b is not None:
        build.forward(affine.add_bias, y, b.value)
    return y


def add_products(build: ProgramBuilder, x: Buffer, W: Array, dW: Array | None, y: Buffer) -> None:
    """Add the instructions of y = x W and of its gradients."""
    if _has_fast_blocks(build, x, W):
        _add_block_products(build, x, W, dW, y)
        return
    part = _rows_at_a_time(build, x, W)
    build.forward(affine.multiply, build.gemm, x, W, part, y)
    if dW is not None:
        build.backward(affine.weight_gradient, build.gemm, x, y.grad, part, dW)
    if x.grad is not None:
        _add_input_gradient(build, x, y, W, part)


def _add_block_products(
    build: ProgramBuilder, x: Buffer, W: Array, dW: Array | None, y: Buffer
) -> None:
    """Add the same, with each product cut into blocks."""

    def block(length: int) -> Array:
        """Return memory for a block of a factor, of whose rows there are so many."""
        blocks = math.ceil(length / affine.DEPTH)
        return np.zeros((math.ceil(length / blocks), affine.COLUMNS), build.dtype)

    blas = build.gemm, build.blas.threads
    build.forward(affine.multiply_blocks, *blas, x, W, 0, block(W.shape[0]), y)
    if dW is not None:
        rows = _count_rows(build, x)
        build.backward(affine.block_weight_gradient, *blas, x, y.grad, block(rows), dW)
    if x.grad is not None:
        build.backward(affine.multiply_blocks, *blas, y.grad, W, 1, block(W.shape[1]), x.grad)


def _has_fast_blocks(build: ProgramBuilder, x: Buffer, W: Array) -> bool:
    """Return whether products by blocks are measured to take less time, with one thread."""
    is_known = build.blas.has_small_products and build.dtype == np.float32
    is_middle = SMALL_MATRIX < W.size <= MIDDLE_MATRIX
    return is_known and is_middle and 16 <= _count_rows(build, x) <= 128


def _add_input_gradient(build: ProgramBuilder, x: Buffer, y: Buffer, W: Array, part: int) -> None:
    """Add the instructions of dx = dy W^T."""
    if W.size > SMALL_MATRIX or build.batch_size < 16:
        build.backward(affine.input_gradient, build.gemm, y.grad, W, x.grad)
        return
    # OpenBLAS multiplies few rows by a transposed matrix at half the speed or less.
    transposed = np.empty(W.shape[::-1], build.dtype)
    build.backward(affine.transpose, W, transposed)
    build.backward(affine.multiply, build.gemm, y.grad, transposed, part, x.grad)


def _rows_at_a_time(build: ProgramBuilder, x: Buffer, W: Array) -> int:
    """Return the number of rows of x that are multiplied by W at a time.

    OpenBLAS copies the factors of a product of more than a million multiplications to where its
    loops want them, and divides one of more than PART between threads. Where W is small, both cost
    more than they save: a product in parts takes three quarters of the time.
    """
    rows = _count_rows(build, x)
    is_small = W.size <= SMALL_MATRIX and rows * W.size <= SMALL_PRODUCT
    return PART // W.size if is_small else max(rows, 1)


def _count_rows(build: ProgramBuilder, x: Buffer) -> int:
    """Return the number of rows that W multiplies in a batch."""
    return build.batch_size * math.prod(x.shape[:-1])
