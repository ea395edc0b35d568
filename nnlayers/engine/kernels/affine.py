"""Kernels of ``Affine``."""

from __future__ import annotations

from nnlayers._core.arrays import Array
from nnlayers.engine.kernel import Blas, Count, Matrix, Rows, Vector, helper, kernel
from nnlayers.engine.products import (
    add_product,
    add_product_tn,
    count_threads,
    product,
    product_nt,
    product_tn,
)

__all__ = [
    "COLUMNS",
    "DEPTH",
    "add_bias",
    "bias_gradient",
    "block_weight_gradient",
    "input_gradient",
    "multiply",
    "multiply_blocks",
    "transpose",
    "weight_gradient",
]


@kernel
def multiply(gemm: Blas, x: Rows, W: Matrix, part: Count, y: Rows) -> None:
    """Compute y = x W, so many rows at a time."""
    start = 0
    while start < x.shape[0]:
        product(gemm, x[start : start + part], W, y[start : start + part])
        start += part


@helper
def transpose_matrix(matrix: Array, transposed: Array) -> None:
    """Compute the transposed matrix."""
    rows = matrix.shape[0]
    # Four rows at a time take a quarter of the time where the rows of the result are 128 long.
    for i in range(0, rows - 3, 4):
        for j in range(matrix.shape[1]):
            part = transposed[j, i : i + 4]
            part[0], part[1] = matrix[i, j], matrix[i + 1, j]
            part[2], part[3] = matrix[i + 2, j], matrix[i + 3, j]
    for i in range(rows - rows % 4, rows):
        for j in range(matrix.shape[1]):
            transposed[j, i] = matrix[i, j]


@kernel
def transpose(W: Matrix, transposed: Matrix) -> None:
    """Compute W^T."""
    transpose_matrix(W, transposed)


@kernel
def add_bias(y: Rows, b: Vector) -> None:
    """Compute y = y + b."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] += b[j]


@kernel
def weight_gradient(gemm: Blas, x: Rows, dy: Rows, part: Count, dW: Matrix) -> None:
    """Compute dW = x^T dy, so many rows at a time."""
    product_tn(gemm, x[:part], dy[:part], dW)
    start = part
    while start < x.shape[0]:
        add_product_tn(gemm, x[start : start + part], dy[start : start + part], dW)
        start += part


@kernel
def bias_gradient(dy: Rows, db: Vector) -> None:
    """Compute db, the sum of the rows of dy."""
    rows, width = dy.shape
    for j in range(db.size):
        db[j] = 0.0
    # Four rows at a time take half the time where rows are short.
    for i in range(0, rows - 3, 4):
        for j in range(width):
            db[j] += (dy[i, j] + dy[i + 1, j]) + (dy[i + 2, j] + dy[i + 3, j])
    for i in range(rows - rows % 4, rows):
        for j in range(width):
            db[j] += dy[i, j]


@kernel
def input_gradient(gemm: Blas, dy: Rows, W: Matrix, dx: Rows) -> None:
    """Compute dx = dy W^T."""
    product_nt(gemm, dy, W, dx)


# Products of blocks of so many rows, so many columns and as many numbers in a sum as `DEPTH` are
# small enough for OpenBLAS to do them without copying the factors. The rows of a block of the
# second factor are far apart in memory, so that reading a copy of the block is faster.
ROWS, COLUMNS, DEPTH = 128, 64, 112


@kernel
def multiply_blocks(
    gemm: Blas, threads: Blas, x: Rows, W: Matrix, transposes: Count, block: Matrix, y: Rows
) -> None:
    """Compute y = x W, or y = x W^T, by one block of W or W^T after the other."""
    if count_threads(threads) > 1:
        if transposes:
            product_nt(gemm, x, W, y)
        else:
            product(gemm, x, W, y)
        return
    inner, width = x.shape[1], y.shape[1]
    k = 0
    while k < inner:
        to_k = min(k + block.shape[0], inner)
        for j in range(0, width, COLUMNS):
            to_j = min(j + COLUMNS, width)
            if transposes:
                transpose_matrix(W[j:to_j, k:to_k], block)
            else:
                for p in range(to_k - k):
                    row, target = W[k + p, j:to_j], block[p]
                    for q in range(row.size):
                        target[q] = row[q]
            factor = block[: to_k - k, : to_j - j]
            for i in range(0, x.shape[0], ROWS):
                a, c = x[i : i + ROWS, k:to_k], y[i : i + ROWS, j:to_j]
                if k == 0:
                    product(gemm, a, factor, c)
                else:
                    add_product(gemm, a, factor, c)
        k = to_k


@kernel
def block_weight_gradient(
    gemm: Blas, threads: Blas, x: Rows, dy: Rows, block: Matrix, dW: Matrix
) -> None:
    """Compute dW = x^T dy by one block of dy after the other."""
    if count_threads(threads) > 1:
        product_tn(gemm, x, dy, dW)
        return
    rows = x.shape[0]
    inner, width = dW.shape
    k = 0
    while k < rows:
        to_k = min(k + block.shape[0], rows)
        for j in range(0, width, COLUMNS):
            for p in range(to_k - k):
                row, target = dy[k + p, j : j + COLUMNS], block[p]
                for q in range(row.size):
                    target[q] = row[q]
            factor = block[: to_k - k, : min(COLUMNS, width - j)]
            for i in range(0, inner, ROWS):
                a, c = x[k:to_k, i : i + ROWS], dW[i : i + ROWS, j : j + COLUMNS]
                if k == 0:
                    product_tn(gemm, a, factor, c)
                else:
                    add_product_tn(gemm, a, factor, c)
        k = to_k
