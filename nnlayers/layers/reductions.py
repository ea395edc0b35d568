"""Sum and mean along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from nnlayers._core.checks import check_boolean
from nnlayers._core.formula import Formula
from nnlayers._core.sizes import check_axis
from nnlayers.layers.operation import Operation

__all__ = ["Mean", "Sum", "axes_within"]


class Sum(Operation):
    r"""Sum of the entries along some axes.

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

    formula = Formula("sum(x)", "1", note="every entry that was added up gets it")

    quiet = True

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        self.axis = check_axis(axis)
        self.keepdims = check_boolean("keepdims", keepdims)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        axes = axes_within(self, x)
        with_axes = tuple([1 if i in axes else length for i, length in enumerate(x.shape)])
        return x.sum(axis=axes, keepdims=self.keepdims), (x.shape, with_axes)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        shape, with_axes = saved
        return np.broadcast_to(dout.reshape(with_axes), shape)[()]


class Mean(Sum):
    r"""Mean of the entries along some axes.

    .. math::

        y = \frac{1}{n} \sum_i x_i, \qquad
        \frac{\partial\ell}{\partial x_i} = \frac{1}{n} \frac{\partial\ell}{\partial y}

    The mean of no entries is NaN, as in NumPy.

    Parameters
    ----------
    axis : int, tuple of int or None
        The axes to average over; None is all.
    keepdims : bool
        Whether these axes stay, with length 1.

    Examples
    --------
    >>> layer = Mean()
    >>> layer.forward([[1.0, 2.0], [3.0, 6.0]])
    array(3.)
    >>> layer.backward(1.0)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """

    formula = Formula(
        "sum(x) / n",
        "1 / n",
        sent=("g / n",),
        note="each of the n entries averaged gets a share",
    )

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        total, (shape, with_axes) = super().compute_forward(x)
        count = math.prod([shape[axis] for axis in axes_within(self, x)])
        return total / x.dtype.type(count), (shape, with_axes, count)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        shape, with_axes, count = saved
        return super().compute_backward(dout / dout.dtype.type(count), (shape, with_axes))


def axes_within(layer: Any, x: Any) -> tuple[int, ...]:
    """Return a layer's `axis` as axes of x counted from 0; None means all."""
    axis = range(x.ndim) if layer.axis is None else layer.axis
    try:
        return normalize_axis_tuple(axis, x.ndim)
    except ValueError:
        raise ValueError(
            f"{layer!r} expected x with axis {layer.axis}, got shape {x.shape}"
        ) from None
