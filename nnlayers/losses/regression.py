"""Losses for targets that are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number
from nnlayers.losses.base import ElementwiseLoss, Reduction

__all__ = ["Huber", "MeanAbsoluteError", "MeanSquaredError", "Quantile"]


class MeanSquaredError(ElementwiseLoss):
    r"""Mean squared error: the squared difference, averaged over all entries.

    .. math::

        \ell = \frac{1}{nd} \sum_{ij} (p_{ij} - t_{ij})^2, \qquad
        \frac{\partial\ell}{\partial p_{ij}} = \frac{2}{nd} (p_{ij} - t_{ij})

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    References
    ----------
    C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 3.1.1.
    PyTorch's ``MSELoss`` has the same definition.

    Examples
    --------
    >>> loss = MeanSquaredError()
    >>> loss.forward([[1.0], [4.0]], [[1.0], [2.0]])
    2.0
    >>> loss.backward()
    array([[0.],
           [2.]])
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        difference = p - t
        return np.square(difference), difference

    def entry_slopes(self, difference: Array) -> Array:
        return 2 * difference


class MeanAbsoluteError(ElementwiseLoss):
    r"""Mean absolute error: the absolute difference, averaged over all entries.

    .. math::

        \ell = \frac{1}{nd} \sum_{ij} |p_{ij} - t_{ij}|, \qquad
        \frac{\partial\ell}{\partial p_{ij}} = \frac{1}{nd} \operatorname{sign}(p_{ij} - t_{ij})

    The derivative at 0 is 0. The best constant prediction is the median.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    References
    ----------
    T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2nd edition,
    Springer 2009, section 10.6. PyTorch's ``L1Loss`` has the same definition.

    Examples
    --------
    >>> loss = MeanAbsoluteError()
    >>> loss.forward([[1.0], [4.0]], [[1.0], [2.0]])
    1.0
    >>> loss.backward()
    array([[0. ],
           [0.5]])
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        difference = p - t
        return np.abs(difference), difference

    def entry_slopes(self, difference: Array) -> Array:
        return np.sign(difference)


class Huber(ElementwiseLoss):
    r"""Huber loss: squared for small differences, linear for large ones, so outliers pull less.

    With d = p - t,

    .. math::

        \ell = \begin{cases} d^2 / 2 & |d| \le \delta \\
        \delta\,(|d| - \delta / 2) & |d| > \delta \end{cases}, \qquad
        \frac{d\ell}{dp} = \max(-\delta, \min(d, \delta))

    averaged over all entries.

    Parameters
    ----------
    delta : float
        The difference at which the parabola becomes a line, above 0.
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35,
    1964. PyTorch's ``HuberLoss`` has the same definition.

    Examples
    --------
    >>> loss = Huber()
    >>> loss.forward([[1.0], [4.0]], [[0.5], [2.0]])
    0.8125
    >>> loss.backward()
    array([[0.25],
           [0.5 ]])
    """

    def __init__(self, delta: float = 1.0, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.delta = check_number("delta", delta, above=0)

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        difference = p - t
        size = np.abs(difference)
        near = np.minimum(size, self.delta)
        return near * (size - near / 2), difference

    def entry_slopes(self, difference: Array) -> Array:
        return np.clip(difference, -self.delta, self.delta)


class Quantile(ElementwiseLoss):
    r"""Quantile (pinball) loss, whose best constant prediction is the targets' q-quantile.

    .. math::

        \ell = \max\big((1 - q)\,(p - t),\; q\,(t - p)\big), \qquad
        \frac{d\ell}{dp} = \begin{cases} 1 - q & p > t \\ 0 & p = t \\ -q & p < t \end{cases}

    averaged over all entries.

    Parameters
    ----------
    q : float
        The probability of the quantile, above 0 and below 1.
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978. scikit-learn's
    ``mean_pinball_loss`` has the same definition.

    Examples
    --------
    >>> loss = Quantile(0.9)
    >>> loss.forward([[2.0], [0.0]], [[1.0], [1.0]])
    0.5
    >>> loss.backward()
    array([[ 0.05],
           [-0.45]])
    """

    def __init__(self, q: float, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.q = check_number("q", q, above=0, below=1)

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        difference = p - t
        return self._pinball(difference), difference

    def entry_slopes(self, difference: Array) -> Array:
        sign = np.sign(difference)
        return sign * self._pinball(sign)

    def _pinball(self, difference: Array) -> Array:
        return np.maximum((1 - self.q) * difference, -self.q * difference)
