"""Kernels of sigmoid-like activations and softplus."""

from __future__ import annotations

from typing import Any

from nnlayers.engine.functions import decay_and_expm1, exp, log1p_of_fraction
from nnlayers.engine.kernels.elementwise import elementwise

__all__ = ["hard_tanh", "sigmoid", "softplus", "softsign", "tanh"]


@elementwise
def sigmoid(x: Any) -> tuple[Any, Any]:
    """Compute y = 1 / (1 + e^-x) and dy/dx = y (1 - y) from e = e^-|x|."""
    e = exp(-abs(x))
    inverse = 1.0 / (1.0 + e)
    return (1.0 if x > 0.0 else e) * inverse, e * inverse * inverse


@elementwise
def tanh(x: Any) -> tuple[Any, Any]:
    """Compute y = tanh x and dy/dx = 4 e / (1 + e)^2 from e = e^(-2 |x|)."""
    # 1 - y^2 would cancel where y is near 1, and 1 - e where x is near 0.
    e, expm1 = decay_and_expm1(-2.0 * abs(x))
    inverse = 1.0 / (2.0 + expm1)
    y = expm1 * inverse
    return (y if x < 0.0 else -y), 4.0 * e * inverse * inverse


@elementwise
def softplus(x: Any, beta: Any) -> tuple[Any, Any]:
    """Compute y = log(1 + e^(beta x)) / beta and dy/dx = 1 / (1 + e^(-beta x))."""
    e = exp(-abs(beta * x))
    y = (0.0 if x < 0.0 else x) + log1p_of_fraction(e) / beta
    return y, (1.0 if x > 0.0 else e) / (1.0 + e)


@elementwise
def softsign(x: Any) -> tuple[Any, Any]:
    """Compute y = x / (1 + |x|) and dy/dx = 1 / (1 + |x|)^2."""
    inverse = 1.0 / (1.0 + abs(x))
    y = x * inverse
    # Where |x| is infinite, or nearly so in float32, the product is NaN or has no digits.
    y = 1.0 if x > 1e30 else y
    y = -1.0 if x < -1e30 else y
    return y, inverse * inverse


@elementwise
def hard_tanh(x: Any) -> tuple[Any, Any]:
    """Compute y = min(max(x, -1), 1) and dy/dx = 1(-1 < x < 1), which is 1 for NaN."""
    y = -1.0 if x < -1.0 else x
    y = 1.0 if y > 1.0 else y
    return y, 0.0 if abs(x) >= 1.0 else 1.0
