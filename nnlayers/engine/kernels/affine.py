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
def copy_part(matrix: Array, top: int, bottom: int, left: int, right: int, part: Array) -> None:
    """Copy the rows from top to bottom and the columns from left to right of a matrix."""
    # Slices of one row are known to be contiguous, those of a matrix are not.
    for i in range(bottom - top):
        row, target = matrix[top + i, left:right], part[i]
        for j in range(row.size):
            target[j] = row[j]


@helper
def transpose_part(
    matrix: Array, top: int, bottom: int, left: int, right: int, part: Array
) -> None:
    """Transpose the rows from top to bottom and the columns from left to right of a matrix."""
    rows = bottom - top
    # Four rows at a time take a quarter of the time where the rows of the result are 128 long.
    for i in range(0, rows - 3, 4):
        first, second = matrix[top + i, left:right], matrix[top + i + 1, left:right]
        third, fourth = matrix[top + i + 2, left:right], matrix[top + i + 3, left:right]
        for j in range(right - left):
            target = part[j, i : i + 4]
            target[0], target[1] = first[j], second[j]
            target[2], target[3] = third[j], fourth[j]
    for i in range(rows - rows % 4, rows):
        row = matrix[top + i, left:right]
        for j in range(row.size):
            part[j, i] = row[j]


@kernel
def transpose(W: Matrix, transposed: Matrix) -> None:
    """Compute W^T."""
    transpose_part(W, 0, W.shape[0], 0, W.shape[1], transposed)


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
                transpose_part(W, j, to_j, k, to_k, block)
            else:
                copy_part(W, k, to_k, j, to_j, block)
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
            to_j = min(j + COLUMNS, width)
            copy_part(dy, k, to_k, j, to_j, block)
            factor = block[: to_k - k, : to_j - j]
            for i in range(0, inner, ROWS):
                a, c = x[k:to_k, i : i + ROWS], dW[i : i + ROWS, j:to_j]
                if k == 0:
                    product_tn(gemm, a, factor, c)
                else:
                    add_product_tn(gemm, a, factor, c)
        k = to_k
