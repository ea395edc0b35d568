"""Shaping: layers that move entries and change none."""

from __future__ import annotations

import math

import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.numerics import Array, as_floats

__all__ = ["Flatten"]


class Flatten(Layer):
    r"""Make each entry of the batch one row: ``(batch, ...)`` to ``(batch, features)``.

    Raises
    ------
    ValueError
        If the input has no batch axis.

    Examples
    --------
    >>> import numpy as np
    >>> flatten = Flatten()
    >>> flatten.forward(np.zeros((5, 8, 8))).shape
    (5, 64)
    >>> flatten.backward(np.zeros((5, 64))).shape
    (5, 8, 8)
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        y = self.predict(x)
        self._cache = x.shape, y.shape, x.dtype
        return y

    def predict(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        if x.ndim == 0:
            raise ValueError(f"{self!r} expected x of shape (batch, ...), got {x.shape}")
        return x.reshape(len(x), math.prod(x.shape[1:])).copy()

    def backward(self, dout: npt.ArrayLike) -> Array:
        x_shape, y_shape, dtype = self._cached()
        return self._incoming(dout, y_shape, dtype).reshape(x_shape).copy()
