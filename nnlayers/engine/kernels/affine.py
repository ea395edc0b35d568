"""Kernels of ``Affine``."""

from __future__ import annotations

from nnlayers.engine.kernel import Blas, Matrix, Rows, Vector, kernel
from nnlayers.engine.products import product, product_nt, product_tn

__all__ = ["add_bias", "bias_gradient", "input_gradient", "multiply", "weight_gradient"]


@kernel
def multiply(gemm: Blas, x: Rows, W: Matrix, y: Rows) -> None:
    """Compute y = x W."""
    product(gemm, x, W, y)


@kernel
def add_bias(y: Rows, b: Vector) -> None:
    """Compute y = y + b."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] += b[j]


@kernel
def weight_gradient(gemm: Blas, x: Rows, dy: Rows, dW: Matrix) -> None:
    """Compute dW = x^T dy."""
    product_tn(gemm, x, dy, dW)


@kernel
def bias_gradient(dy: Rows, db: Vector) -> None:
    """Compute db, the sum of the rows of dy."""
    for j in range(db.size):
        db[j] = 0.0
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            db[j] += dy[i, j]


@kernel
def input_gradient(gemm: Blas, dy: Rows, W: Matrix, dx: Rows) -> None:
    """Compute dx = dy W^T."""
    product_nt(gemm, dy, W, dx)
