"""Kernels of Embedding and EntityEmbedding."""

from __future__ import annotations

from nnlayers.engine.kernel import Count, IntFlat, IntVector, Matrix, Rows, kernel

__all__ = [
    "embedding",
    "embedding_gradient",
    "entities",
    "entities_gradient",
    "numbers",
    "numbers_backward",
]


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


@kernel
def numbers(x: Rows, columns: IntVector, y: Rows) -> None:
    """Copy some columns of x to the first ones of y."""
    for i in range(x.shape[0]):
        for j in range(columns.size):
            y[i, j] = x[i, columns[j]]


@kernel
def numbers_backward(columns: IntVector, d: Rows, dx: Rows) -> None:
    """Compute dx, which is 0 for all other columns, because ids have no derivative."""
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            dx[i, j] = 0.0
        for j in range(columns.size):
            dx[i, columns[j]] = d[i, j]


@kernel
def entities(x: Rows, column: Count, W: Matrix, start: Count, y: Rows) -> int:
    """Copy the row of W for the id in a column of x to y, from column `start` on; stop if none."""
    for i in range(x.shape[0]):
        value = x[i, column]
        # NaN is not in the range either.
        if not (value >= 0.0 and value < W.shape[0]):
            return 1
        k = int(value)
        if k != value:
            return 1
        for j in range(W.shape[1]):
            y[i, start + j] = W[k, j]
    return 0


@kernel
def entities_gradient(x: Rows, column: Count, d: Rows, start: Count, dW: Matrix) -> None:
    """Compute dW, whose rows are the sums of d's rows with their id, from column `start` on."""
    for k in range(dW.shape[0]):
        for j in range(dW.shape[1]):
            dW[k, j] = 0.0
    for i in range(x.shape[0]):
        k = int(x[i, column])
        for j in range(dW.shape[1]):
            dW[k, j] += d[i, start + j]
