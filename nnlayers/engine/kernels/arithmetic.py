"""Kernels that add."""

from __future__ import annotations

from nnlayers.engine.kernel import Flat, kernel

__all__ = ["accumulate", "add"]


@kernel
def accumulate(x: Flat, y: Flat) -> None:
    """Compute y = y + x."""
    for i in range(y.size):
        y[i] += x[i]


@kernel
def add(a: Flat, b: Flat, y: Flat) -> None:
    """Compute y = a + b."""
    for i in range(y.size):
        y[i] = a[i] + b[i]
