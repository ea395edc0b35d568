"""Random draws of layers, which the compiled engine repeats bit by bit."""

from __future__ import annotations

import math

import numpy as np

from nnlayers._core.arrays import Array

__all__ = ["LEVELS", "count_dropped", "draw_survivors"]

# The values of 16 random bits, of which the smallest are dropped.
LEVELS = 1 << 16
# Generators of NumPy whose raw draws have 64 bits.
_LONG = np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64


def count_dropped(rate: float) -> int:
    """Return how many of the 65,536 values of 16 bits are dropped at a rate below 1.

    Examples
    --------
    >>> count_dropped(0.5), count_dropped(1e-9), count_dropped(1 - 1e-9)
    (32768, 0, 65535)
    """
    return min(round(rate * LEVELS), LEVELS - 1)


def draw_survivors(rng: np.random.Generator, shape: tuple[int, ...], dropped: int) -> Array:
    """Return whether each entry survives, if its 16 random bits are not below `dropped`.

    The bits are those of ``rng.integers(2**64, dtype=np.uint64)``, of which each number gives four
    entries. float32 numbers, one by one, would take four times as long to draw.

    Examples
    --------
    >>> draw_survivors(np.random.default_rng(3), (2, 3), 1 << 15)
    array([[ True,  True, False],
           [False,  True, False]])
    """
    size = math.prod(shape)
    words = -(-size // 4)
    if isinstance(rng.bit_generator, _LONG):
        # These are the same numbers, in a fifth of the time where there are few.
        bits = rng.bit_generator.random_raw(words)
    else:
        bits = rng.integers(1 << 64, size=words, dtype=np.uint64)
    return np.asarray(bits.view(np.uint16)[:size].reshape(shape) >= dropped)
