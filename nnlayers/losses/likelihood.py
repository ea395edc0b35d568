"""Negative log-likelihoods, and the divergence of distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers.losses.base import ElementwiseLoss
from nnlayers.losses.checks import check_range, column_hint
from nnlayers.losses.weighting import apply_weights

__all__ = ["GaussianNLL", "KLDivergence", "Poisson"]

# GaussianNLL uses no smaller log variance, so that the loss of an exact prediction is finite.
_LOWEST = math.log(1e-6)


class Poisson(ElementwiseLoss):
    r"""Poisson loss: minus the log-likelihood of counts t, from the logarithm p of their rate.

    .. math:: \ell = e^p - t p, \qquad \frac{d\ell}{dp} = e^p - t

    averaged over all entries; :math:`\log t!`, which the prediction does not change, is left out.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    Notes
    -----
    Targets are at least 0, and need not be whole.

    References
    ----------
    P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall 1989,
    chapter 6. PyTorch's ``PoissonNLLLoss(log_input=True, full=False)`` has the same definition.

    Examples
    --------
    >>> loss = Poisson()
    >>> loss.forward([[0.0], [0.0]], [[1], [3]])
    1.0
    >>> loss.backward()
    array([[ 0.],
           [-1.]])
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        check_range(t)
        rate = np.exp(p)
        # Above 1000 the rate and the loss are infinite. The bound avoids infinity minus infinity.
        return rate - apply_weights(t, np.minimum(p, 1000)), (rate, t)

    def entry_slopes(self, saved: tuple[Array, Array]) -> Array:
        rate, t = saved
        return rate - t

    @np.errstate(over="ignore")
    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return the rates, the expected counts.

        Examples
        --------
        >>> Poisson().decide([[0.0]])
        array([[1.]])
        """
        return np.asarray(np.exp(as_floats(prediction, name="prediction")))


class GaussianNLL(ElementwiseLoss):
    r"""Gaussian loss: minus the log-likelihood of numbers t, from mean m and log variance s.

    .. math::

        \ell = \frac{1}{2} \Big(\log v + \frac{(t - m)^2}{v}\Big), \quad v = \max(e^s, 10^{-6}), \\
        \frac{d\ell}{dm} = \frac{m - t}{v}, \quad
        \frac{d\ell}{ds} = \frac{e^s}{2v} \Big(1 - \frac{(t - m)^2}{v}\Big)

    averaged over the targets' entries; :math:`\log(2\pi)/2` is left out. The lower bound on v
    keeps the loss of an exact prediction finite. The derivative by s treats v as :math:`e^s` below
    the bound too, so that a variance that is too small can grow again.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    Notes
    -----
    For targets of shape ``(batch, ..., d)``, `prediction` has shape ``(batch, ..., 2 d)``: d means,
    then d logarithms of variances, which a layer without an activation gives.

    References
    ----------
    D. A. Nix and A. S. Weigend, "Estimating the mean and variance of the target probability
    distribution", ICNN 1994. PyTorch's ``GaussianNLLLoss`` has the same definition and bound; it
    takes the variance where this takes its logarithm.

    Examples
    --------
    >>> loss = GaussianNLL()
    >>> loss.forward([[1.0, 0.0], [3.0, 0.0]], [[1.0], [1.0]])
    1.0
    >>> loss.backward()
    array([[ 0.  ,  0.25],
           [ 1.  , -0.75]])
    """

    def as_target(self, target: npt.ArrayLike, p: Array) -> Array:
        t = as_floats(target, FLOAT64, "target")
        if min(t.ndim, p.ndim) < 2 or p.shape != (*t.shape[:-1], 2 * t.shape[-1]):
            raise ValueError(
                "prediction must have a mean and a log variance for each target, shape "
                f"(batch, ..., 2 d) for targets (batch, ..., d), got {p.shape} for {t.shape}"
                + column_hint(t, (*p.shape[:-1], *[n // 2 for n in p.shape[-1:]]))
            )
        return t

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        m, s = np.split(p, 2, axis=-1)
        precision = np.minimum(np.exp(-s / 2), 1e3)  # 1 / sqrt(v)
        error = (m - t) * precision
        log_v = np.maximum(s, _LOWEST)
        return (log_v + np.square(error)) / 2, (s, precision, error)

    def entry_slopes(self, saved: tuple[Array, Array, Array]) -> Array:
        s, precision, error = saved
        growth = np.exp(np.minimum(s - _LOWEST, 0))  # e^s / v
        return np.concatenate([error * precision, growth * (1 - np.square(error)) / 2], axis=-1)

    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return the means.

        Examples
        --------
        >>> GaussianNLL().decide([[1.0, 0.0]])
        array([[1.]])
        """
        output = as_floats(prediction, name="prediction")
        return output[..., : output.shape[-1] // 2].copy()


class KLDivergence(ElementwiseLoss):
    r"""Kullback-Leibler divergence of the target t from the prediction's log-probabilities p.

    .. math:: \ell = t\,(\log t - p), \qquad \frac{d\ell}{dp} = -t

    averaged over all entries, with 0 log 0 = 0. If each row is a distribution over K outcomes, the
    mean divergence of the rows is K times that.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the entries' losses are averaged or added.

    Notes
    -----
    Targets are probabilities. :class:`nnlayers.SoftmaxCrossEntropy` takes them too, predicted by
    scores, and differs by the targets' entropy, which does not depend on the prediction.

    References
    ----------
    S. Kullback and R. A. Leibler, "On information and sufficiency", Annals of Mathematical
    Statistics 22, 1951. PyTorch's ``KLDivLoss`` has the same definition and, by the same name, the
    same mean; its ``"batchmean"`` is the mean over the rows.

    Examples
    --------
    >>> loss = KLDivergence()
    >>> round(loss.forward(np.log([[0.5, 0.5]]), [[1.0, 0.0]]), 4)
    0.3466
    >>> loss.backward()
    array([[-0.5, -0. ]])
    """

    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        check_range(t, 1)
        return xlogy(t, t) - apply_weights(t, p), (p, t)

    def entry_slopes(self, saved: tuple[Array, Array]) -> Array:
        p, t = saved
        return np.where(np.isnan(p), p, -t)

    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return the probabilities.

        Examples
        --------
        >>> KLDivergence().decide([[0.0, -np.inf]])
        array([[1., 0.]])
        """
        return np.asarray(np.exp(as_floats(prediction, name="prediction")))
