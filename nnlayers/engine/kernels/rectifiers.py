"""Kernels of ReLU and its relatives."""

from __future__ import annotations

from typing import Any

from nnlayers.engine.functions import exp_and_expm1
from nnlayers.engine.kernel import Flat, Rows, Vector, helper, kernel
from nnlayers.engine.kernels.elementwise import elementwise

__all__ = [
    "elu",
    "leaky_relu",
    "prelu",
    "prelu_backward",
    "relu",
    "relu_backward",
    "relu_of_sum",
    "selu",
    "shared_prelu",
    "shared_prelu_backward",
]

ALPHA = 1.6732632423543772
SCALE = 1.0507009873554805


@helper
def rectified(x: Any) -> Any:
    """Return max(x, 0), and NaN for NaN."""
    return 0.0 if x <= 0.0 else x


@kernel
def relu(x: Flat, y: Flat) -> None:
    """Compute y = max(x, 0)."""
    for i in range(x.size):
        y[i] = rectified(x[i])


@kernel
def relu_of_sum(y: Rows, b: Vector) -> None:
    """Compute y = max(y + b, 0)."""
    rows, width = y.shape
    # Two rows at a time take half the time where rows are short.
    for i in range(0, rows - 1, 2):
        first, second = y[i], y[i + 1]
        for j in range(width):
            first[j] = rectified(first[j] + b[j])
            second[j] = rectified(second[j] + b[j])
    for i in range(rows - rows % 2, rows):
        for j in range(width):
            y[i, j] = rectified(y[i, j] + b[j])


@kernel
def relu_backward(y: Flat, d: Flat) -> None:
    """Compute d = d where y != 0, else 0; the slope is 1 for NaN, as in PyTorch."""
    for i in range(y.size):
        d[i] *= 1.0 if y[i] != 0.0 else 0.0


@elementwise
def leaky_relu(x: Any, s: Any) -> tuple[Any, Any]:
    """Compute y = x above 0 and s x below; dy/dx is 1 or s."""
    below = s * x if s != 0.0 else 0.0  # 0 times infinity would be NaN.
    return (below if x <= 0.0 else x), (1.0 if x > 0.0 else s)


@helper
def elu_and_slope(x: Any, alpha: Any) -> tuple[Any, Any]:
    """Return x above 0 and alpha (e^x - 1) below, and the derivative."""
    e, expm1 = exp_and_expm1(0.0 if x > 0.0 else x)
    return (x if x > 0.0 else alpha * expm1), (1.0 if x > 0.0 else alpha * e)


@elementwise
def elu(x: Any, alpha: Any) -> tuple[Any, Any]:
    """Compute y = x above 0 and alpha (e^x - 1) below; dy/dx is 1 or alpha e^x."""
    return elu_and_slope(x, alpha)


@elementwise
def selu(x: Any) -> tuple[Any, Any]:
    """Compute the scaled ELU, y = 1.0507 ELU(x) with alpha = 1.6733."""
    y, slope = elu_and_slope(x, ALPHA)
    return SCALE * y, SCALE * slope


@helper
def positive(x: Any) -> Any:
    """Return max(x, 0)."""
    return 0.0 if x < 0.0 else x


@helper
def negative(x: Any) -> Any:
    """Return min(x, 0)."""
    return 0.0 if x > 0.0 else x


@kernel
def prelu(x: Rows, a: Vector, y: Rows) -> None:
    """Compute y = max(x, 0) + a min(x, 0), with a slope for each column."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = positive(x[i, j]) + a[j] * negative(x[i, j])


@kernel
def prelu_backward(x: Rows, a: Vector, d: Rows, da: Vector) -> None:
    """Compute da, the sum over rows of d min(x, 0), and then d = d dy/dx."""
    for j in range(da.size):
        da[j] = 0.0
    for i in range(x.shape[0]):
        for j in range(da.size):
            da[j] += d[i, j] * negative(x[i, j])
        for j in range(x.shape[1]):
            d[i, j] *= 1.0 if x[i, j] > 0.0 else a[j]


@kernel
def shared_prelu(x: Flat, a: Vector, y: Flat) -> None:
    """Compute y = max(x, 0) + a min(x, 0), with one slope for all entries."""
    slope = a[0]
    for i in range(x.size):
        y[i] = positive(x[i]) + slope * negative(x[i])


@kernel
def shared_prelu_backward(x: Flat, a: Vector, d: Flat, da: Vector) -> None:
    """Compute da, the sum of d min(x, 0), and then d = d dy/dx."""
    slope = a[0]
    if da.size > 0:
        total = 0.0
        for i in range(x.size):
            total += d[i] * negative(x[i])
        da[0] = total
    for i in range(x.size):
        d[i] *= 1.0 if x[i] > 0.0 else slope
