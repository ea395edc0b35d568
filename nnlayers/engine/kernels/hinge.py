"""Kernel of the multi-class hinge loss."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from nnlayers.engine.kernel import (
    DoubleFlat,
    DoubleNumber,
    DoubleVector,
    IntFlat,
    Rows,
    double_kernel,
    helper,
)

__all__ = ["hinge"]


@helper
def distance(a: Any, b: Any, margin: Any) -> Any:
    """Return a - b + margin, with the digits that the subtraction rounds away (Knuth's two-sum)."""
    lead = a - b
    back = lead - a
    lost = (a - (lead - back)) - (b + back)
    return lead + margin + lost


@double_kernel
def hinge(
    z: Rows,
    y: IntFlat,
    margin: DoubleNumber,
    scale: DoubleFlat,
    result: DoubleVector,
    dz: Rows,
) -> int:
    """Compute sum_k max(0, z_k - z_y + margin) / K over the other classes, and its gradient.

    `dz` may have no columns, where only the loss is asked for.
    """
    rows, classes = z.shape
    value = 0.0
    for i in range(rows):
        own = y[i]
        if own < 0 or own >= classes:
            return 1
        best = np.float64(z[i, own])
        each = scale[i] / classes
        loss = 0.0
        pull = 0.0
        for k in range(classes):
            h = distance(np.float64(z[i, k]), best, margin)
            h = 0.0 if h <= 0.0 or k == own else h
            slope = each if h > 0.0 else 0.0
            loss += h
            pull += slope
            if dz.shape[1] > 0:
                dz[i, k] = slope
        if dz.shape[1] > 0:
            dz[i, own] = -pull
        value += each * loss
    result[0] = value
    return 0 if isfinite(value) else 1
