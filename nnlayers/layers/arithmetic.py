"""Arithmetic: the nodes of a computational graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.numerics import Array, as_floats
from nnlayers.validation import check_axis

__all__ = ["Sum"]


class Sum(Layer):
    r"""Add up the entries along some axes.

    .. math::

        y = \sum_i x_i, \qquad
        \frac{\partial\ell}{\partial x_i} = \frac{\partial\ell}{\partial y}

    Parameters
    ----------
    axis : int, tuple of int or None
        The axes to sum over; None is all.
    keepdims : bool
        Whether these axes stay, with length 1.

    Examples
    --------
    >>> layer = Sum(axis=1)
    >>> layer.forward([[1.0, 2.0], [3.0, 4.0]])
    array([3., 7.])
    >>> layer.backward([1.0, 10.0])
    array([[ 1.,  1.],
           [10., 10.]])
    """

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        self.axis = check_axis(axis)
        self.keepdims = bool(keepdims)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        axes = self._axes(self.axis, x)
        y = np.asarray(x.sum(axis=axes, keepdims=self.keepdims))
        kept = tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
        self._cache = x.shape, kept, y.shape, x.dtype
        return y

    def predict(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        return np.asarray(x.sum(axis=self._axes(self.axis, x), keepdims=self.keepdims))

    def backward(self, dout: npt.ArrayLike) -> Array:
        x_shape, kept, y_shape, dtype = self._cached()
        dout = self._incoming(dout, y_shape, dtype)
        return np.broadcast_to(dout.reshape(kept), x_shape).copy()
