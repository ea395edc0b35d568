"""Noise: layers that draw at random in training and are silent in inference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.numerics import Array, as_floats
from nnlayers.validation import check_number

__all__ = ["Dropout"]


class Dropout(Layer):
    r"""Set entries to zero at random, and scale the rest up so that the mean stays.

    .. math::

        y = m \odot x, \quad m_i = \begin{cases} 0 & \text{with probability } p \\
        1/(1 - p) & \text{otherwise} \end{cases}
        \qquad \frac{\partial\ell}{\partial x} = m \odot \frac{\partial\ell}{\partial y}

    In evaluation mode and in ``predict``, y = x.

    Parameters
    ----------
    rate : float
        The probability p of an entry to be dropped, at least 0 and below 1.
    rng : int or numpy.random.Generator, optional
        Where the draws come from.

    References
    ----------
    N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 15, 2014.

    Examples
    --------
    >>> dropout = Dropout(0.5, rng=0)
    >>> dropout.forward(np.ones(6))
    array([2., 2., 2., 0., 0., 0.])
    >>> dropout.backward(np.ones(6))
    array([2., 2., 2., 0., 0., 0.])
    >>> dropout.predict(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    def __init__(self, rate: float = 0.5, rng: int | np.random.Generator | None = None) -> None:
        self.rate = check_number("rate", rate, minimum=0, below=1)
        self.rng = np.random.default_rng(rng)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x)
        if self.training and self.rate > 0:
            kept = self.rng.random(x.shape, dtype=np.float32) >= self.rate
            mask = np.multiply(kept, 1 / (1 - self.rate), dtype=x.dtype)
        else:
            mask = np.ones(x.shape, x.dtype)
        self._cache = mask
        return np.asarray(x * mask)

    def predict(self, x: npt.ArrayLike) -> Array:
        return as_floats(x).copy()

    def backward(self, dout: npt.ArrayLike) -> Array:
        mask = self._cached()
        return np.asarray(self._incoming(dout, mask.shape, mask.dtype) * mask)
