"""Kernels of the losses for targets that are numbers, of the prediction p and the target t."""

from __future__ import annotations

from typing import Any

from nnlayers.engine.kernel import helper
from nnlayers.engine.kernels.losses import elementwise_loss

__all__ = ["absolute_error", "huber", "quantile", "squared_error"]


@helper
def sign(d: Any) -> Any:
    """Return -1, 0 or 1; NaN stays NaN."""
    return 1.0 if d > 0.0 else -1.0 if d < 0.0 else d


@elementwise_loss
def squared_error(p: Any, t: Any) -> tuple[Any, Any]:
    """Compute (p - t)^2 and 2 (p - t)."""
    d = p - t
    return d * d, 2.0 * d


@elementwise_loss
def absolute_error(p: Any, t: Any) -> tuple[Any, Any]:
    """Compute |p - t| and sign(p - t)."""
    d = p - t
    return abs(d), sign(d)


@elementwise_loss
def huber(p: Any, t: Any, delta: Any) -> tuple[Any, Any]:
    """Compute d^2 / 2 up to delta and delta (|d| - delta / 2) beyond, and the clipped d = p - t."""
    d = p - t
    near = delta if abs(d) > delta else abs(d)
    slope = -delta if d < -delta else delta if d > delta else d
    return near * (abs(d) - 0.5 * near), slope


@elementwise_loss
def quantile(p: Any, t: Any, q: Any) -> tuple[Any, Any]:
    """Compute max((1 - q) d, -q d) with d = p - t, and 1 - q, 0 or -q."""
    d = p - t
    slope = (1.0 - q if d > 0.0 else q) * sign(d)
    return slope * d, slope
