"""Piecewise-linear encoding: how far each number has passed through each of some bins."""

from __future__ import annotations

from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers._core.checks import check_integer
from nnlayers._core.formula import Formula
from nnlayers._core.rebuilding import reserve
from nnlayers._core.sizes import fits_memory
from nnlayers.layer import Layer, Parameter

__all__ = ["PiecewiseLinear"]


class PiecewiseLinear(Layer, guarded=False):
    r"""Encode each number by how far it has passed through each of some bins.

    For a feature with edges :math:`e_0 \le e_1 \le \dots \le e_T`, entry t of the code of x is

    .. math::

        y_t = \min\Big(1, \max\Big(0, \frac{x - e_{t-1}}{e_t - e_{t-1}}\Big)\Big), \qquad
        \frac{\partial y_t}{\partial x} = \frac{1}{e_t - e_{t-1}}
        \text{ for } e_{t-1} \le x \le e_t, \text{ else } 0, \\
        \frac{\partial y_t}{\partial e_{t-1}} = (y_t - 1) \frac{\partial y_t}{\partial x}, \qquad
        \frac{\partial y_t}{\partial e_t} = -y_t \frac{\partial y_t}{\partial x},

    except that numbers below :math:`e_0` make the first entry negative and numbers above
    :math:`e_T` the last one larger than 1. A bin between equal edges has the code 0. Infinite
    numbers count as the largest finite ones, which codes do not exceed either. An affine
    layer behind this one is a piecewise-linear function of each feature, which makes the steep and
    wiggly functions that tables need as easy to learn as straight ones.

    Parameters
    ----------
    features : int
        Number of columns; the input has shape ``(..., features)`` and the output
        ``(..., features, bins)``.
    bins : int
        Number of bins T of each feature.
    dtype : {float32, float64}
        Of the edges; inputs are converted to it.

    Attributes
    ----------
    edges : Parameter
        The edges of each feature, of shape ``(features, bins + 1)``; equally far apart from -1 to 1
        until :meth:`fit` sets them. It is frozen: no optimizer moves the edges unless they are
        unfrozen.

    Raises
    ------
    ValueError
        If an input does not have that shape.

    References
    ----------
    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.

    Examples
    --------
    >>> layer = PiecewiseLinear(1, 4).fit([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> layer.edges.value
    array([[0., 1., 2., 3., 4.]], dtype=float32)
    >>> layer.forward([[2.5]])
    array([[[1. , 1. , 0.5, 0. ]]], dtype=float32)
    >>> layer.backward([[[1, 1, 1, 1]]])
    array([[1.]], dtype=float32)
    """

    formula = Formula(
        "min(max((x - e) / w, 0), 1)",
        sent=("sum(d)",),
        parameters={"edges": "lower(d * (y - 1)) - upper(d * y)"},
        note="e is the lower edge of a bin, w its width; d is ∂ℓ/∂y / w within the bin, else 0; "
        "lower and upper put an entry at that edge of its bin",
    )

    def __init__(self, features: int, bins: int = 32, *, dtype: npt.DTypeLike = np.float32) -> None:
        self.features = check_integer("features", features, minimum=1)
        self.bins = check_integer("bins", bins, minimum=1)
        draw = partial(_draw_edges, (self.features, self.bins + 1))
        with fits_memory(features=self.features, bins=self.bins):
            self.edges = Parameter.from_draws(draw, np.random.default_rng(0), dtype, name="edges")
        self.edges.trainable = False

    def fit(self, x: npt.ArrayLike) -> Self:
        """Set the edges to quantiles of some rows, so that each bin holds as many of them.

        A feature with at most as many different values as there are edges gets an edge at each, and
        its last edge again for those that are left.

        Parameters
        ----------
        x : array_like of finite numbers, shape (rows, features)
            The rows that the network is trained on, at least one.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If x has another shape, no rows, or entries that are not finite.
        """
        rows = as_floats(x, FLOAT64)
        if rows.ndim != 2 or rows.shape[1] != self.features or not len(rows):
            raise ValueError(
                f"{self!r} expected x of shape (rows, {self.features}) with at least one row, "
                f"got {rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise ValueError("x must be finite")
        self.edges.value[...] = [self._quantiles(column) for column in rows.T]
        return self

    def forward(self, x: npt.ArrayLike) -> Array:
        y, (low, high) = self._distances(x), self.limits()
        slopes = ((y >= low) & (y <= high)) * self.scales()
        np.minimum(np.maximum(y, low, out=y), high, out=y)
        self._cache = y.shape, y.dtype, (y, slopes)
        return y.copy()

    def predict(self, x: npt.ArrayLike) -> Array:
        y, (low, high) = self._distances(x), self.limits()
        # Two functions take a quarter of the time of np.clip with limits for each bin.
        return np.asarray(np.minimum(np.maximum(y, low, out=y), high, out=y))

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, (y, slopes) = self._backward_inputs(dout)
        dx = dout * slopes
        batch = tuple(range(dx.ndim - 2))
        with np.errstate(over="ignore"):  # Those of huge numbers may be infinite.
            self.edges.grad[:, :-1] += (dx * (y - 1)).sum(axis=batch)
            self.edges.grad[:, 1:] -= (dx * y).sum(axis=batch)
        return np.asarray(dx.sum(axis=-1))

    def scales(self) -> Array:
        """Return 1 / (e[t] - e[t-1]) of each bin, 0 if these are equal; shape (features, bins)."""
        return self._half_scales() / 2

    def limits(self) -> tuple[Array, Array]:
        """Return the smallest and the largest code of each bin, of shape (features, bins)."""
        edges = self.edges.value
        largest = np.finfo(edges.dtype).max
        low = np.zeros_like(edges[:, 1:])
        high = np.ones_like(low)
        low[:, 0] = -largest
        # The last bin that is not empty is open; those behind it are always 0.
        last = self.bins - 1 - np.argmax((edges[:, 1:] > edges[:, :-1])[:, ::-1], axis=1)
        high[np.arange(self.features), last] = largest
        return low, high

    def _half_scales(self) -> Array:
        """Return 1 / (e[t]/2 - e[t-1]/2) of each bin: no difference of halves overflows."""
        edges = self.edges.value
        halves = edges / 2
        with np.errstate(over="ignore", divide="ignore"):
            scales = np.minimum(1 / np.diff(halves), np.finfo(edges.dtype).max)
        return np.asarray(np.where(edges[:, 1:] > edges[:, :-1], scales, edges.dtype.type(0)))

    def _distances(self, x: npt.ArrayLike) -> Array:
        """Return (x - e[t-1]) / (e[t] - e[t-1]) of each number and bin, 0 if these are equal."""
        x = as_floats(x, self.edges.dtype)
        if x.ndim == 0 or x.shape[-1] != self.features:
            raise ValueError(f"{self!r} expected x of shape (..., {self.features}), got {x.shape}")
        largest = np.finfo(x.dtype).max
        halves = np.clip(x, -largest, largest) / 2
        y: Array = halves[..., np.newaxis] - self.edges.value[:, :-1] / 2
        with np.errstate(over="ignore"):
            y *= self._half_scales()
        return y

    def _quantiles(self, column: Array) -> Array:
        """Return the edges of a feature."""
        values = np.unique(column)
        if len(values) > self.bins + 1:
            values = np.unique(np.quantile(column, np.linspace(0, 1, self.bins + 1)))
        # Values that differ less than the dtype can tell are one edge.
        values = np.unique(values.astype(self.edges.dtype))
        return np.asarray(np.pad(values, (0, self.bins + 1 - len(values)), mode="edge"))


def _draw_edges(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return edges that are equally far apart, with no random draw."""
    if reserve(shape):
        return np.broadcast_to(np.ones(()), shape)  # Stored edges replace this array.
    return np.tile(np.linspace(-1, 1, shape[1]), (shape[0], 1))
