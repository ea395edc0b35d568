"""Kernels of Dropout and GaussianNoise, which read random numbers that NumPy drew."""

from __future__ import annotations

from nnlayers.engine.kernel import Flat, Number, SingleFlat, kernel

__all__ = ["add_noise", "dropout", "dropout_backward"]


@kernel
def dropout(x: Flat, draws: SingleFlat, rate: Number, scale: Number, y: Flat) -> None:
    """Compute y = scale x where a draw is at least the rate, else 0."""
    for i in range(x.size):
        y[i] = x[i] * (scale if draws[i] >= rate else 0.0)


@kernel
def dropout_backward(draws: SingleFlat, rate: Number, scale: Number, d: Flat) -> None:
    """Compute d = scale d where a draw is at least the rate, else 0."""
    for i in range(d.size):
        d[i] *= scale if draws[i] >= rate else 0.0


@kernel
def add_noise(x: Flat, draws: Flat, std: Number, y: Flat) -> None:
    """Compute y = x + std n for normal draws n."""
    for i in range(x.size):
        y[i] = x[i] + std * draws[i]
