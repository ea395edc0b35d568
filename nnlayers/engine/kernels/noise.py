"""Kernels of Dropout and GaussianNoise, which read random numbers that NumPy drew."""

from __future__ import annotations

from nnlayers.engine.kernel import ByteFlat, Flat, Number, kernel

__all__ = [
    "add_noise",
    "dropout",
    "dropout_backward",
    "dropout_in_place",
    "rectified_dropout_backward",
]


@kernel
def dropout(x: Flat, survives: ByteFlat, scale: Number, y: Flat) -> None:
    """Compute y = scale x for the entries that survive, else 0."""
    for i in range(x.size):
        y[i] = x[i] * (scale if survives[i] else 0.0)


@kernel
def dropout_backward(survives: ByteFlat, scale: Number, d: Flat) -> None:
    """Compute d = scale d for the entries that survive, else 0."""
    for i in range(d.size):
        d[i] *= scale if survives[i] else 0.0


@kernel
def dropout_in_place(survives: ByteFlat, scale: Number, x: Flat) -> None:
    """Compute x = scale x for the entries that survive, else 0."""
    for i in range(x.size):
        x[i] *= scale if survives[i] else 0.0


@kernel
def rectified_dropout_backward(y: Flat, scale: Number, d: Flat) -> None:
    """Compute d = scale d where y = dropout(ReLU(x)) is not 0, else 0."""
    for i in range(d.size):
        d[i] *= scale if y[i] != 0.0 else 0.0


@kernel
def add_noise(x: Flat, draws: Flat, std: Number, y: Flat) -> None:
    """Compute y = x + std n for normal draws n."""
    for i in range(x.size):
        y[i] = x[i] + std * draws[i]
