"""Kernels of Softmax and LogSoftmax, which compute in float64 as the layers do."""

from __future__ import annotations

import numpy as np

from nnlayers.engine.functions import exp, log1p
from nnlayers.engine.kernel import DoubleFlat, DoubleRows, Rows, double_kernel

__all__ = [
    "exponentials",
    "log_softmax",
    "log_softmax_backward",
    "softmax",
    "softmax_backward",
    "subtract_largest",
]


@double_kernel
def subtract_largest(x: Rows, below: DoubleRows) -> None:
    """Compute x minus the largest entry of each row, which is then at most 0."""
    for i in range(x.shape[0]):
        largest = x[i, 0]
        for j in range(1, x.shape[1]):
            largest = x[i, j] if x[i, j] > largest else largest
        top = np.float64(largest)
        for j in range(x.shape[1]):
            below[i, j] = np.float64(x[i, j]) - top


@double_kernel
def exponentials(below: DoubleFlat, e: DoubleFlat) -> None:
    """Compute e^below."""
    # As a loop over all entries this is vectorized however short the rows are.
    for i in range(e.size):
        e[i] = exp(below[i])


@double_kernel
def softmax(e: DoubleRows, p: DoubleRows, y: Rows) -> None:
    """Compute p = y = e / sum(e) for each row, in two dtypes."""
    for i in range(e.shape[0]):
        total = 0.0
        for j in range(e.shape[1]):
            total += e[i, j]
        for j in range(e.shape[1]):
            p[i, j] = e[i, j] / total
        for j in range(e.shape[1]):
            y[i, j] = p[i, j]


@double_kernel
def softmax_backward(p: DoubleRows, d: Rows) -> None:
    """Compute d = p (d - sum(p d)) for each row."""
    for i in range(d.shape[0]):
        # A constant added to d changes nothing. This one leaves the largest probability out of the
        # sum; near 1 it would cancel all the others.
        top = 0
        for j in range(1, d.shape[1]):
            top = j if p[i, j] > p[i, top] else top
        shift = np.float64(d[i, top])
        total = 0.0
        for j in range(d.shape[1]):
            total += (np.float64(d[i, j]) - shift) * p[i, j]
        for j in range(d.shape[1]):
            d[i, j] = p[i, j] * ((np.float64(d[i, j]) - shift) - total)


@double_kernel
def log_softmax(below: DoubleRows, e: DoubleRows, p: DoubleRows, y: Rows) -> None:
    """Compute y = below - log(sum(e)) and its exponential p for each row."""
    for i in range(e.shape[0]):
        # The largest entry adds 1 to the sum, which would swallow small ones.
        total = 0.0
        is_found = False
        for j in range(e.shape[1]):
            is_top = below[i, j] == 0.0 and not is_found
            is_found = is_found or is_top
            total += 0.0 if is_top else e[i, j]
        logarithm = log1p(total)
        for j in range(e.shape[1]):
            p[i, j] = e[i, j] / (1.0 + total)
        for j in range(e.shape[1]):
            y[i, j] = below[i, j] - logarithm


@double_kernel
def log_softmax_backward(p: DoubleRows, d: Rows) -> None:
    """Compute d = d - p sum(d) for each row."""
    for i in range(d.shape[0]):
        total = 0.0
        for j in range(d.shape[1]):
            total += np.float64(d[i, j])
        for j in range(d.shape[1]):
            d[i, j] = np.float64(d[i, j]) - p[i, j] * total
