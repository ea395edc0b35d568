"""Kernels of negative log-likelihoods and of the divergence of distributions."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from nnlayers.engine.functions import INFINITY, NAN, exp, log
from nnlayers.engine.kernel import DoubleFlat, DoubleRows, DoubleVector, Rows, double_kernel
from nnlayers.engine.kernels.losses import elementwise_loss

__all__ = ["gaussian", "kl_divergence", "poisson"]

# The smallest log variance of GaussianNLL, log(1e-6).
LOWEST = -13.815510557964274


@elementwise_loss
def poisson(p: Any, t: Any) -> tuple[Any, Any]:
    """Compute e^p - t p and e^p - t for a count t of at least 0."""
    t = t if (t >= 0.0) & (t < INFINITY) else NAN
    rate = exp(p)
    return rate - t * p, rate - t


@elementwise_loss
def kl_divergence(p: Any, t: Any) -> tuple[Any, Any]:
    """Compute t (log t - p) and -t for a probability t."""
    t = t if (t >= 0.0) & (t <= 1.0) else NAN
    return t * (log(t) if t > 0.0 else 0.0) - t * p, -t


@double_kernel
def gaussian(p: Rows, t: DoubleRows, scale: DoubleFlat, result: DoubleVector, dp: Rows) -> int:
    """Compute (log v + (t - m)^2 / v) / 2 and its derivatives, from m and s of each row of p.

    Here v = max(e^s, 1e-6). `dp` may have no columns, where only the loss is asked for.
    """
    value = 0.0
    width = t.shape[1]
    for i in range(t.shape[0]):
        for j in range(width):
            s = np.float64(p[i, width + j])
            precision = exp(-0.5 * s)  # 1 / sqrt(v)
            precision = 1e3 if precision > 1e3 else precision
            error = (np.float64(p[i, j]) - t[i, j]) * precision
            weight = scale[i * width + j]
            value += weight * 0.5 * ((LOWEST if s < LOWEST else s) + error * error)
            if dp.shape[1] > 0:
                growth = exp(s - LOWEST if s < LOWEST else 0.0)  # e^s / v
                dp[i, j] = weight * error * precision
                dp[i, width + j] = weight * growth * 0.5 * (1.0 - error * error)
    result[0] = value
    return 0 if isfinite(value) else 1
