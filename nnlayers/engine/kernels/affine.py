"""Kernels of ``Affine``."""

from __future__ import annotations

from nnlayers.engine.kernel import Blas, Count, Matrix, Rows, Vector, kernel
from nnlayers.engine.products import add_product, product, product_nt, product_tn

__all__ = [
    "add_bias",
    "bias_gradient",
    "input_gradient",
    "multiply",
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


@kernel
def transpose(W: Matrix, transposed: Matrix) -> None:
    """Compute W^T."""
    rows = W.shape[0]
    # Four rows at a time take a quarter of the time where the rows of W^T are 128 long.
    for i in range(0, rows - 3, 4):
        for j in range(W.shape[1]):
            part = transposed[j, i : i + 4]
            part[0], part[1], part[2], part[3] = W[i, j], W[i + 1, j], W[i + 2, j], W[i + 3, j]
    for i in range(rows - rows % 4, rows):
        for j in range(W.shape[1]):
            transposed[j, i] = W[i, j]


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
        add_product(gemm, x[start : start + part], dy[start : start + part], dW)
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
