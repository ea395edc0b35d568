"""Kernels of batch, layer and RMS normalization."""

from __future__ import annotations

from math import isfinite

from nnlayers.engine.functions import typed
from nnlayers.engine.kernel import Flat, Number, Rows, Vector, kernel
from nnlayers.engine.primitives import sqrt

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "check_variances",
    "column_sums",
    "fixed_norm",
    "fixed_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "move_running",
    "rms_norm",
    "rms_norm_backward",
    "scale_and_shift",
]


@kernel
def batch_norm(
    x: Rows, eps: Number, mean: Vector, var: Vector, inverse_std: Vector, normalized: Rows
) -> None:
    """Compute (x - mean) / sqrt(var + eps) by the mean and variance of the batch."""
    rows, columns = x.shape
    n = typed(eps, max(rows, 1))
    for j in range(columns):
        mean[j] = 0.0
        var[j] = 0.0
    for i in range(rows):
        for j in range(columns):
            mean[j] += x[i, j]
    for j in range(columns):
        mean[j] /= n
    for i in range(rows):
        for j in range(columns):
            centered = x[i, j] - mean[j]
            normalized[i, j] = centered
            var[j] += centered * centered
    for j in range(columns):
        var[j] /= n
        inverse_std[j] = 1.0 / sqrt(var[j] + eps)
    for i in range(rows):
        for j in range(columns):
            normalized[i, j] *= inverse_std[j]


@kernel
def batch_norm_backward(
    normalized: Rows,
    gamma: Vector,
    inverse_std: Vector,
    dgamma: Vector,
    dbeta: Vector,
    d: Rows,
) -> None:
    """Compute d = gamma / sqrt(var + eps) (d - dbeta / n - normalized dgamma / n)."""
    rows, columns = d.shape
    if rows == 0:
        return
    n = typed(d[0, 0], rows)
    for i in range(rows):
        for j in range(columns):
            d[i, j] -= (dbeta[j] + normalized[i, j] * dgamma[j]) / n
        for j in range(columns):
            d[i, j] *= gamma[j] * inverse_std[j]


@kernel
def move_running(
    x: Rows,
    mean: Vector,
    var: Vector,
    momentum: Number,
    running_mean: Vector,
    running_var: Vector,
) -> None:
    """Move the running averages towards the mean and the unbiased variance of the batch."""
    rows, columns = x.shape
    if rows == 0:
        return
    retained = 1.0 - momentum
    for j in range(columns):
        running_mean[j] = retained * running_mean[j] + momentum * mean[j]
    if rows > 1:
        share = momentum * typed(momentum, rows) / typed(momentum, rows - 1)
        for j in range(columns):
            running_var[j] = retained * running_var[j] + share * var[j]


@kernel
def check_variances(var: Vector, running_var: Vector) -> int:
    """Stop the step if a variance overflows, or its running average may."""
    total = 0.0
    for j in range(var.size):
        total += var[j] + running_var[j]
    return 0 if isfinite(4.0 * total) else 1


@kernel
def fixed_norm(
    x: Rows, eps: Number, mean: Vector, var: Vector, inverse_std: Vector, normalized: Rows
) -> None:
    """Compute (x - mean) / sqrt(var + eps) by the running averages."""
    for j in range(var.size):
        inverse_std[j] = 1.0 / sqrt(var[j] + eps)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            normalized[i, j] = (x[i, j] - mean[j]) * inverse_std[j]


@kernel
def fixed_norm_backward(gamma: Vector, inverse_std: Vector, d: Rows) -> None:
    """Compute d = d gamma / sqrt(var + eps)."""
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            d[i, j] *= gamma[j] * inverse_std[j]


@kernel
def scale_and_shift(normalized: Rows, gamma: Vector, beta: Vector, y: Rows) -> None:
    """Compute y = gamma normalized + beta; beta may be left out."""
    for i in range(y.shape[0]):
        if beta.size > 0:
            for j in range(y.shape[1]):
                y[i, j] = normalized[i, j] * gamma[j] + beta[j]
        else:
            for j in range(y.shape[1]):
                y[i, j] = normalized[i, j] * gamma[j]


@kernel
def column_sums(normalized: Rows, d: Rows, dgamma: Vector, dbeta: Vector) -> None:
    """Compute dgamma and dbeta, the sums over rows of d normalized and of d."""
    for j in range(dgamma.size):
        dgamma[j] = 0.0
    for j in range(dbeta.size):
        dbeta[j] = 0.0
    for i in range(d.shape[0]):
        for j in range(dgamma.size):
            dgamma[j] += d[i, j] * normalized[i, j]
        for j in range(dbeta.size):
            dbeta[j] += d[i, j]


@kernel
def layer_norm(x: Rows, eps: Number, inverse_std: Flat, normalized: Rows) -> None:
    """Compute (x - mean) / sqrt(var + eps) by the mean and variance of each row."""
    rows, columns = x.shape
    n = typed(eps, columns)
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            total += x[i, j]
        mean = total / n
        squares = 0.0
        for j in range(columns):
            centered = x[i, j] - mean
            normalized[i, j] = centered
            squares += centered * centered
        var = squares / n + eps
        inverse = sqrt(var) / var  # This is NaN where a square overflowed.
        for j in range(columns):
            normalized[i, j] *= inverse
        inverse_std[i] = inverse


@kernel
def layer_norm_backward(normalized: Rows, gamma: Vector, inverse_std: Flat, d: Rows) -> None:
    """Compute d = (D - mean D - normalized mean(D normalized)) / sqrt(var + eps), D = gamma d."""
    rows, columns = d.shape
    for i in range(rows):
        n = typed(inverse_std[i], columns)
        total = 0.0
        product = 0.0
        for j in range(columns):
            scaled = d[i, j] * gamma[j]
            total += scaled
            product += scaled * normalized[i, j]
        mean, slope, inverse = total / n, product / n, inverse_std[i]
        for j in range(columns):
            d[i, j] = (d[i, j] * gamma[j] - mean - normalized[i, j] * slope) * inverse


@kernel
def rms_norm(x: Rows, eps: Number, inverse_rms: Flat, normalized: Rows) -> None:
    """Compute x / sqrt(mean(x^2) + eps) by the mean square of each row."""
    rows, columns = x.shape
    n = typed(eps, columns)
    for i in range(rows):
        squares = 0.0
        for j in range(columns):
            squares += x[i, j] * x[i, j]
        mean = squares / n + eps
        inverse = sqrt(mean) / mean
        for j in range(columns):
            normalized[i, j] = x[i, j] * inverse
        inverse_rms[i] = inverse


@kernel
def rms_norm_backward(normalized: Rows, gamma: Vector, inverse_rms: Flat, d: Rows) -> None:
    """Compute d = (D - normalized mean(D normalized)) / sqrt(mean(x^2) + eps), D = gamma d."""
    rows, columns = d.shape
    for i in range(rows):
        n = typed(inverse_rms[i], columns)
        product = 0.0
        for j in range(columns):
            product += d[i, j] * gamma[j] * normalized[i, j]
        slope, inverse = product / n, inverse_rms[i]
        for j in range(columns):
            d[i, j] = (d[i, j] * gamma[j] - normalized[i, j] * slope) * inverse
