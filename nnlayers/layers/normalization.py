"""Batch, layer and RMS normalization."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, float_dtype, ones
from nnlayers._core.checks import check_integer, check_number
from nnlayers._core.formula import Formula
from nnlayers._core.rebuilding import full
from nnlayers._core.sizes import fits_memory
from nnlayers.layer import Layer, Parameter

__all__ = ["BatchNorm", "LayerNorm", "RMSNorm"]


class BatchNorm(Layer, guarded=False):
    r"""Batch normalization: mean 0 and variance 1 for each feature, then a learnt scale and shift.

    .. math::

        \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = \gamma \hat x + \beta

    with the mean :math:`\mu` and the (biased) variance :math:`\sigma^2` of each column over the n
    rows. Both depend on x, so that

    .. math::

        \frac{\partial\ell}{\partial\beta} = \sum \frac{\partial\ell}{\partial y}, \qquad
        \frac{\partial\ell}{\partial\gamma} = \sum \frac{\partial\ell}{\partial y} \hat x, \qquad
        \frac{\partial\ell}{\partial x} = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}
        \Big(\frac{\partial\ell}{\partial y} - \frac1n \frac{\partial\ell}{\partial\beta}
        - \frac1n \frac{\partial\ell}{\partial\gamma} \hat x\Big)

    In evaluation mode and in ``predict``, :math:`\mu` and :math:`\sigma^2` are running averages,
    which each batch in training mode moves by `momentum` towards its own mean and unbiased
    variance.

    Parameters
    ----------
    features : int
        Number of columns; the input has shape ``(..., features)``.
    momentum : float
        The weight of the newest batch in the running averages, from 0 to 1.
    eps : float
        :math:`\epsilon`, above 0.
    dtype : {float32, float64}
        Of the parameters and running averages; inputs are converted to it.

    Attributes
    ----------
    gamma, beta : Parameter
        Scale and shift, of shape ``(features,)``.
    running_mean, running_var : ndarray
        The running averages, of shape ``(features,)``. An empty batch leaves both as they are,
        and a single row the variance.

    Raises
    ------
    ValueError
        If an input does not have that shape, or in training mode has a variance beyond the largest
        number of the dtype; the running averages then stay as they are.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.

    Examples
    --------
    >>> layer = BatchNorm(1)
    >>> layer.forward([[1.0], [3.0]]).round(3)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.running_mean
    array([0.2], dtype=float32)
    """

    formula = Formula(
        "gamma * n + beta",
        parameters={"gamma": "sum(g * n)", "beta": "sum(g)"},
        note="n is x less the mean of its column, divided by the standard deviation; "
        "sums go over the rows",
    )
    state_names = ("running_mean", "running_var")

    def __init__(
        self,
        features: int,
        momentum: float = 0.1,
        eps: float = 1e-5,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.features = check_integer("features", features, minimum=1)
        self.momentum = check_number("momentum", momentum, minimum=0, maximum=1)
        self.eps = check_number("eps", eps, above=0)
        dtype = float_dtype(dtype)
        with fits_memory(features=self.features):
            self.gamma = Parameter(full(self.features, 1, dtype), name="gamma")
            self.beta = Parameter(full(self.features, 0, dtype), name="beta")
            self.reset_state()

    def reset_state(self) -> None:
        self.running_mean = np.zeros_like(self.beta.value)
        self.running_var = np.ones_like(self.gamma.value)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = _as_input(self, x)
        uses_batch = self.training and x.size > 0
        if uses_batch:
            rows = x.reshape(-1, self.features)
            row_sum = ones(len(rows), rows.dtype)
            mean = row_sum.dot(rows) / len(rows)
            centered = x - mean
            squares = np.square(centered).reshape(rows.shape)
            var = row_sum.dot(squares) / len(rows)
            self._update_running(mean, var, len(rows))
        else:
            centered, var = x - self.running_mean, self.running_var
        inverse_std = 1 / np.sqrt(var + self.eps)
        normalized = centered * inverse_std
        self._cache = x.shape, x.dtype, (normalized, inverse_std, uses_batch)
        y = normalized * self.gamma.value
        y += self.beta.value
        return np.asarray(y)

    def predict(self, x: npt.ArrayLike) -> Array:
        x = _as_input(self, x)
        normalized = (x - self.running_mean) * (1 / np.sqrt(self.running_var + self.eps))
        y = normalized * self.gamma.value
        y += self.beta.value
        return np.asarray(y)

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, (normalized, inverse_std, uses_batch) = self._backward_inputs(dout)
        dgamma, dbeta = _column_sums(dout * normalized), _column_sums(dout)
        self.gamma.grad += dgamma
        self.beta.grad += dbeta
        if uses_batch:
            n = dout.size // self.features
            dout = dout - dbeta / n - normalized * (dgamma / n)
        return np.asarray(dout * (self.gamma.value * inverse_std))

    def _update_running(self, mean: Array, var: Array, n: int) -> None:
        """Move the running averages towards the mean and variance of a batch of n rows."""
        retained = 1 - self.momentum
        running_var = self.running_var
        if n > 1:
            running_var = retained * running_var + var * (self.momentum * n / (n - 1))
        # A finite sum shows in half a microsecond that all variances are finite.
        if not math.isfinite(running_var.dot(ones(self.features, running_var.dtype))):
            self._check_overflow(var, running_var)
        # These are new arrays, because `predict` in another thread may be reading the old ones.
        self.running_mean = retained * self.running_mean + self.momentum * mean
        self.running_var = running_var

    def _check_overflow(self, var: Array, running_var: Array) -> None:
        overflowing = np.isinf(var) | np.isinf(running_var)
        if overflowing.any():
            raise ValueError(
                f"{self!r} expected x whose variance {var.dtype} can hold, "
                f"that of column {overflowing.argmax()} is too large"
            )


class LayerNorm(Layer, guarded=False):
    r"""Layer normalization: mean 0 and variance 1 for each row, then a learnt scale and shift.

    .. math::

        \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = \gamma \hat x + \beta

    with the mean :math:`\mu` and the (biased) variance :math:`\sigma^2` of each row. With
    :math:`d = \gamma\, \partial\ell / \partial y` and means over the row,

    .. math::

        \frac{\partial\ell}{\partial x} = \frac{1}{\sqrt{\sigma^2 + \epsilon}}
        \big(d - \operatorname{mean}(d) - \hat x \operatorname{mean}(d \hat x)\big)

    Parameters
    ----------
    features : int
        Number of columns; the input has shape ``(..., features)``.
    eps : float
        :math:`\epsilon`, above 0.
    dtype : {float32, float64}
        Of the parameters; inputs are converted to it.

    Attributes
    ----------
    gamma, beta : Parameter
        Scale and shift, of shape ``(features,)``.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> LayerNorm(2).forward([[1.0, 3.0], [10.0, 30.0]]).round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    formula = Formula(
        "gamma * n + beta",
        parameters={"gamma": "sum(g * n)", "beta": "sum(g)"},
        note="n is x less the mean of its row, divided by the standard deviation; "
        "sums go over the rows",
    )

    def __init__(
        self, features: int, eps: float = 1e-5, *, dtype: npt.DTypeLike = np.float32
    ) -> None:
        self.features = check_integer("features", features, minimum=1)
        self.eps = check_number("eps", eps, above=0)
        dtype = float_dtype(dtype)
        with fits_memory(features=self.features):
            self.gamma = Parameter(full(self.features, 1, dtype), name="gamma")
            self.beta = Parameter(full(self.features, 0, dtype), name="beta")

    def forward(self, x: npt.ArrayLike) -> Array:
        x = _as_input(self, x)
        centered = x - _row_means(x)
        inverse_std = _inverse_root(_row_means(np.square(centered)) + self.eps)
        normalized = centered * inverse_std
        self._cache = x.shape, x.dtype, (normalized, inverse_std)
        y = normalized * self.gamma.value
        y += self.beta.value
        return np.asarray(y)

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, (normalized, inverse_std) = self._backward_inputs(dout)
        self.gamma.grad += _column_sums(dout * normalized)
        self.beta.grad += _column_sums(dout)
        d = dout * self.gamma.value
        dx = d - _row_means(d) - normalized * _row_means(d * normalized)
        return np.asarray(dx * inverse_std)


class RMSNorm(Layer, guarded=False):
    r"""RMS normalization: divide each row by its root mean square, then scale it.

    .. math::

        \hat x = \frac{x}{r}, \quad r = \sqrt{\operatorname{mean}(x^2) + \epsilon}, \qquad
        y = \gamma \hat x

    With :math:`d = \gamma\, \partial\ell / \partial y` and means over the row,

    .. math::

        \frac{\partial\ell}{\partial x} = \frac1r
        \big(d - \hat x \operatorname{mean}(d \hat x)\big)

    Parameters
    ----------
    features : int
        Number of columns; the input has shape ``(..., features)``.
    eps : float, optional
        :math:`\epsilon`, above 0; without it the distance from 1 to the next number of the dtype.
    dtype : {float32, float64}
        Of the parameter; inputs are converted to it.

    Attributes
    ----------
    gamma : Parameter
        The scale, of shape ``(features,)``.

    References
    ----------
    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Examples
    --------
    >>> RMSNorm(2).forward([[1.0, 1.0], [0.0, 20.0]]).round(3)
    array([[1.   , 1.   ],
           [0.   , 1.414]], dtype=float32)
    """

    formula = Formula(
        "gamma * n",
        parameters={"gamma": "sum(g * n)"},
        note="n is x divided by the root of the mean square of its row; the sum goes over the rows",
    )

    def __init__(
        self,
        features: int,
        eps: float | None = None,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.features = check_integer("features", features, minimum=1)
        self.eps = None if eps is None else check_number("eps", eps, above=0)
        with fits_memory(features=self.features):
            self.gamma = Parameter(full(self.features, 1, float_dtype(dtype)), name="gamma")

    def forward(self, x: npt.ArrayLike) -> Array:
        x = _as_input(self, x)
        eps = np.finfo(x.dtype).eps if self.eps is None else self.eps
        inverse_rms = _inverse_root(_row_means(np.square(x)) + eps)
        normalized = x * inverse_rms
        self._cache = x.shape, x.dtype, (normalized, inverse_rms)
        return np.asarray(normalized * self.gamma.value)

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, (normalized, inverse_rms) = self._backward_inputs(dout)
        self.gamma.grad += _column_sums(dout * normalized)
        d = dout * self.gamma.value
        return np.asarray((d - normalized * _row_means(d * normalized)) * inverse_rms)


def _as_input(layer: BatchNorm | LayerNorm | RMSNorm, x: npt.ArrayLike) -> Array:
    """Return the input as an array of the layer's dtype, after a check of its shape."""
    x = as_floats(x, layer.gamma.dtype)
    if x.shape[-1:] != (layer.features,):
        raise ValueError(f"{layer!r} expected x of shape (..., {layer.features}), got {x.shape}")
    return x


def _inverse_root(a: Array) -> Array:
    # Where a square overflowed this is NaN. There 1 / sqrt(a) would be 0, and hide the overflow.
    return np.asarray(np.sqrt(a) / a)


def _column_sums(a: Array) -> Array:
    rows = a.reshape(-1, a.shape[-1])
    return np.asarray(ones(len(rows), a.dtype).dot(rows))


def _row_means(a: Array) -> Array:
    return np.asarray(a.dot(ones(a.shape[-1], a.dtype)) / a.shape[-1])[..., np.newaxis]
