"""Dropout and Gaussian noise, which act in training mode only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import as_generator, check_number
from nnlayers._core.draws import LEVELS, count_dropped, draw_survivors
from nnlayers._core.formula import Formula
from nnlayers.layers.activations import Identity
from nnlayers.layers.operation import Operation

__all__ = ["Dropout", "GaussianNoise"]


class Noise(Operation, guarded=False):
    """Base of layers that change their input at random in training, and not in inference."""

    def __init__(self, rng: int | np.random.Generator | None) -> None:
        self.rng = as_generator(rng)

    def predict(self, *inputs: npt.ArrayLike) -> Array:
        (x,) = self.as_inputs(inputs)
        return np.array(x)

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        formula = super().formula_for(*shapes)
        return formula if self.training else formula and Identity.formula


class Dropout(Noise):
    r"""Set entries to zero at random, and scale the rest up so that the mean stays.

    .. math::

        y = m \odot x, \quad m_i = \begin{cases} 0 & \text{with probability } p \\
        1/(1 - p) & \text{otherwise} \end{cases}
        \qquad \frac{\partial\ell}{\partial x} = m \odot \frac{\partial\ell}{\partial y}

    In evaluation mode and in ``predict``, y = x.

    Parameters
    ----------
    rate : float
        The probability p of an entry to be dropped, at least 0 and below 1. It is rounded to a
        multiple of 1/65536, and to 65535/65536 at the most, because 16 random bits decide on each
        entry.
    rng : int or numpy.random.Generator, optional
        Source of the random draws.

    References
    ----------
    N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 15, 2014.

    Examples
    --------
    >>> dropout = Dropout(0.5, rng=3)
    >>> dropout.forward(np.ones(6))
    array([2., 2., 0., 0., 2., 0.])
    >>> dropout.backward(np.ones(6))
    array([2., 2., 0., 0., 2., 0.])
    >>> dropout.predict(np.ones(6))
    array([1., 1., 1., 1., 1., 1.])
    """

    formula = Formula(
        "m * x", "m", sent=("m * g",), note="m is 0 where x was dropped, else 1 / (1 − rate)"
    )

    def __init__(self, rate: float = 0.5, rng: int | np.random.Generator | None = None) -> None:
        super().__init__(rng)
        self.rate = check_number("rate", rate, minimum=0, below=1)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        dropped = count_dropped(self.rate)
        if not self.training or dropped == 0:
            return x.copy(), None
        survives = draw_survivors(self.rng, x.shape, dropped)
        mask = np.multiply(survives, LEVELS / (LEVELS - dropped), dtype=x.dtype)
        return x * mask, mask

    def compute_backward(self, dout: Any, mask: Any) -> Any:
        return dout if mask is None else dout * mask


class GaussianNoise(Noise):
    r"""Add independent normal draws.

    .. math::

        y = x + s\, n, \quad n_i \sim \mathcal N(0, 1), \qquad
        \frac{\partial\ell}{\partial x} = \frac{\partial\ell}{\partial y}

    In evaluation mode and in ``predict``, y = x.

    Parameters
    ----------
    std : float
        The standard deviation s, at least 0.
    rng : int or numpy.random.Generator, optional
        Source of the random draws.

    References
    ----------
    C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
    Computation 7, 1995.

    Examples
    --------
    >>> noise = GaussianNoise(0.1, rng=0)
    >>> noise.forward(np.ones(3)).round(3)
    array([1.013, 0.987, 1.064])
    >>> noise.backward(np.ones(3))
    array([1., 1., 1.])
    >>> noise.predict(np.ones(3))
    array([1., 1., 1.])
    """

    formula = Formula("x + n", "1", note="n was drawn by chance")

    def __init__(self, std: float, rng: int | np.random.Generator | None = None) -> None:
        super().__init__(rng)
        self.std = check_number("std", std, minimum=0)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        if not self.training or self.std == 0:
            return x.copy(), None
        return x + self.std * self.rng.standard_normal(x.shape, dtype=x.dtype), None

    def compute_backward(self, dout: Any, saved: None) -> Any:
        return dout
