"""Kernels of PiecewiseLinear."""

from __future__ import annotations

from nnlayers.engine.kernel import Flat, Matrix, Number, Rows, helper, kernel

__all__ = ["codes", "edges_gradient", "find_bins", "input_gradient", "slopes"]


@helper
def clip(number: float, largest: float) -> float:
    """Return a number; an infinite one counts as the largest finite one."""
    number = -largest if number < -largest else number
    return largest if number > largest else number


@helper
def half_distance(number: float, start: float) -> float:
    """Return (number - start)/2, which never overflows; a kernel would subtract first."""
    return 0.5 * number - 0.5 * start


@kernel
def find_bins(edges: Matrix, largest: Number, scale: Matrix, low: Matrix, high: Matrix) -> None:
    """Compute 1 / (e[t]/2 - e[t-1]/2), at most the largest number, and the limits of the codes."""
    bins = scale.shape[1]
    for f in range(scale.shape[0]):
        last = bins - 1
        for t in range(bins):
            width = half_distance(edges[f, t + 1], edges[f, t])
            scale[f, t] = 0.0
            if edges[f, t + 1] > edges[f, t]:
                inverse = 1.0 / width
                scale[f, t] = inverse if inverse < largest else largest
                last = t
            low[f, t] = 0.0
            high[f, t] = 1.0
        low[f, 0] = -largest
        # The last bin that is not empty is open.
        high[f, last] = largest


@kernel
def codes(
    x: Flat, edges: Matrix, largest: Number, scale: Matrix, low: Matrix, high: Matrix, y: Rows
) -> None:
    """Compute y_t = (x - e[t-1])/2 scale_t within the limits of each bin of x's feature."""
    for k in range(x.size):
        f = k % edges.shape[0]
        number, starts, factors = clip(x[k], largest), edges[f], scale[f]
        smallest, highest, code = low[f], high[f], y[k]
        for t in range(y.shape[1]):
            v = half_distance(number, starts[t]) * factors[t]
            v = smallest[t] if v < smallest[t] else v
            code[t] = highest[t] if v > highest[t] else v


@kernel
def slopes(
    x: Flat, edges: Matrix, largest: Number, scale: Matrix, low: Matrix, high: Matrix, d: Rows
) -> None:
    """Compute d = d dy/dx, with dy/dx = scale/2 within the limits of a bin and 0 elsewhere."""
    for k in range(x.size):
        f = k % edges.shape[0]
        number, starts, factors = clip(x[k], largest), edges[f], scale[f]
        smallest, highest, row = low[f], high[f], d[k]
        for t in range(d.shape[1]):
            v = half_distance(number, starts[t]) * factors[t]
            row[t] *= 0.5 * factors[t] if (v >= smallest[t]) & (v <= highest[t]) else 0.0


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
