"""Kernels of Embedding."""

from __future__ import annotations

from nnlayers.engine.kernel import IntFlat, Matrix, Rows, kernel

__all__ = ["embedding", "embedding_gradient"]


@kernel
def embedding(ids: IntFlat, W: Matrix, y: Rows) -> int:
    """Copy the row of W for each id; stop if there is none."""
    for i in range(ids.size):
        if ids[i] < 0 or ids[i] >= W.shape[0]:
            return 1
        for j in range(W.shape[1]):
            y[i, j] = W[ids[i], j]
    return 0


@kernel
def embedding_gradient(ids: IntFlat, d: Rows, dW: Matrix) -> None:
    """Compute dW, whose rows are the sums of the rows of d with their id."""
    for k in range(dW.shape[0]):
        for j in range(dW.shape[1]):
            dW[k, j] = 0.0
    for i in range(ids.size):
        for j in range(dW.shape[1]):
            dW[ids[i], j] += d[i, j]
