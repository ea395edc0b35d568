"""Kernels of PiecewiseLinear."""

from __future__ import annotations

import numpy as np

from nnlayers.engine.kernel import Flat, Matrix, Number, Rows, kernel

__all__ = ["codes", "edges_gradient", "find_bins", "input_gradient", "slopes"]

INFINITY = np.inf


@kernel
def find_bins(edges: Matrix, largest: Number, scale: Matrix, low: Matrix, high: Matrix) -> None:
    """Compute 1 / (e[t] - e[t-1]), at most the largest number, and the limits of the codes."""
    bins = scale.shape[1]
    for f in range(scale.shape[0]):
        last = bins - 1
        for t in range(bins):
            width = edges[f, t + 1] - edges[f, t]
            scale[f, t] = 0.0
            if width > 0.0:
                inverse = 1.0 / width
                scale[f, t] = inverse if inverse < largest else largest
                last = t
            low[f, t] = 0.0
            high[f, t] = 1.0
        low[f, 0] = -INFINITY
        # The last bin that is not empty is open.
        high[f, last] = INFINITY


@kernel
def codes(x: Flat, edges: Matrix, scale: Matrix, low: Matrix, high: Matrix, y: Rows) -> None:
    """Compute y_t = (x - e[t-1]) scale_t within the limits of each bin of x's feature."""
    for k in range(x.size):
        f = k % edges.shape[0]
        number, starts, factors = x[k], edges[f], scale[f]
        smallest, largest, code = low[f], high[f], y[k]
        for t in range(y.shape[1]):
            v = (number - starts[t]) * factors[t]
            v = smallest[t] if v < smallest[t] else v
            code[t] = largest[t] if v > largest[t] else v


@kernel
def slopes(x: Flat, edges: Matrix, scale: Matrix, low: Matrix, high: Matrix, d: Rows) -> None:
    """Compute d = d dy/dx, with dy/dx = scale within the limits of a bin and 0 elsewhere."""
    for k in range(x.size):
        f = k % edges.shape[0]
        number, starts, factors = x[k], edges[f], scale[f]
        smallest, largest, row = low[f], high[f], d[k]
        for t in range(d.shape[1]):
            v = (number - starts[t]) * factors[t]
            row[t] *= factors[t] if (v >= smallest[t]) & (v <= largest[t]) else 0.0


@kernel
def edges_gradient(y: Rows, dx: Rows, dedges: Matrix) -> None:
    """Compute the gradient of the edges, of which each bounds two bins."""
    features, bins = dedges.shape[0], y.shape[1]
    for f in range(features):
        for t in range(bins + 1):
            dedges[f, t] = 0.0
    for k in range(y.shape[0]):
        f = k % features
        code, slope, lower, upper = y[k], dx[k], dedges[f, :bins], dedges[f, 1:]
        for t in range(bins):
            lower[t] += slope[t] * (code[t] - 1.0)
        for t in range(bins):
            upper[t] -= slope[t] * code[t]


@kernel
def input_gradient(slope: Rows, dx: Flat) -> None:
    """Compute dx, the sum over the bins of the gradients of their codes."""
    for k in range(dx.size):
        total = 0.0
        row = slope[k]
        for t in range(row.size):
            total += row[t]
        dx[k] = total
