"""The normal distribution and its quantiles, in elementary functions for formats without them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CENTER", "HALF_WIDTH", "SCALE", "quantile_coefficients", "tail_coefficients"]

# With t = 1 / (1 + SCALE |x|) and s = 2t - 1, the probability that a normal draw exceeds |x| is
# q(s) t exp(-x^2 / 2). These are the coefficients of q in Chebyshev polynomials, computed to
# 40 digits by interpolation at 60 nodes. The relative error of 25 of them is below 1e-15, of 11
# below 2e-8.
SCALE = 0.5 / 2**0.5
_CHEBYSHEV = [
    0.5770337386164697,
    0.3554369212704985,
    0.06509515882878653,
    0.003671142395836639,
    -0.0011128447433526325,
    -0.0001607582991537808,
    3.278031574173137e-05,
    5.442441645505016e-06,
    -1.5154665553171482e-06,
    -1.4297608181169865e-07,
    8.234608827419493e-08,
    -1.2962846852306563e-09,
    -4.154721631015199e-09,
    6.347058278362811e-10,
    1.4320822712256225e-10,
    -6.160390105204585e-11,
    2.0612138554721698e-12,
    3.5714931488477042e-12,
    -8.586422843251796e-13,
    -6.14560021379063e-14,
    7.418725748596617e-14,
    -1.2895042755032325e-14,
    -2.358726385710632e-15,
    1.5729349381685912e-15,
    -2.2782966239546465e-16,
]


def tail_coefficients(dtype: npt.DTypeLike) -> list[float]:
    r"""Return the coefficients of q, from the constant upwards, as many as the dtype needs.

    .. math::

        1 - \Phi(|x|) = q(s)\, t\, e^{-x^2/2}, \qquad
        t = \frac{1}{1 + c |x|}, \quad s = 2t - 1, \quad q(s) = a_0 + a_1 s + a_2 s^2 + \dots

    with c = :data:`SCALE`. Unlike a formula with the error function, it is exact to the rounding of
    the exponential far out in the tail.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 9.0])
    >>> t = 1 / (1 + SCALE * x)
    >>> q = np.polynomial.Polynomial(tail_coefficients(np.float64))(2 * t - 1)
    >>> q * t * np.exp(-x * x / 2)
    array([5.00000000e-01, 1.58655254e-01, 1.12858841e-19])
    """
    count = len(_CHEBYSHEV) if np.dtype(dtype) == np.float64 else 11
    halves = 0.5 * np.array(_CHEBYSHEV[:count], np.longdouble)
    return [float(a) for a in np.polynomial.chebyshev.cheb2poly(halves)]


# With t = sqrt(-2 log p) for a probability p from 1/1000 to 1/2 and s = (t - CENTER) / HALF_WIDTH,
# the normal deviate that is exceeded with probability p is r(s). These are the coefficients of r in
# Chebyshev polynomials, computed likewise. The error is below 2e-15.
CENTER = ((2 * np.log(2)) ** 0.5 + (2 * np.log(1000)) ** 0.5) / 2
HALF_WIDTH = ((2 * np.log(1000)) ** 0.5 - (2 * np.log(2)) ** 0.5) / 2
_QUANTILE_CHEBYSHEV = [
    1.5967742372011513,
    1.5346273945524587,
    -0.04941579916278387,
    0.009990110470376462,
    -0.0021277953705519347,
    0.0004716670228144633,
    -0.00010799505261878601,
    2.5390723733627382e-05,
    -6.099651853655356e-06,
    1.491140337780894e-06,
    -3.69735130451925e-07,
    9.274830897709796e-08,
    -2.3490957803935872e-08,
    5.9979903062864225e-09,
    -1.5420475160126248e-09,
    3.988059564917014e-10,
    -1.0367239769927838e-10,
    2.70725495925496e-11,
    -7.097960647616929e-12,
    1.8676139591188445e-12,
    -4.929803516608578e-13,
    1.3050419081329463e-13,
    -3.463810721165298e-14,
    9.215457769563925e-15,
    -2.4571066647740194e-15,
]


def quantile_coefficients() -> list[float]:
    r"""Return the coefficients of r, from the constant upwards.

    .. math::

        \Phi^{-1}(1 - p) = r(s) = a_0 + a_1 s + a_2 s^2 + \dots, \qquad
        s = \frac{\sqrt{-2 \log p} - c}{h}, \quad \tfrac{1}{1000} \le p \le \tfrac{1}{2}

    with c = :data:`CENTER` and h = :data:`HALF_WIDTH`.

    Examples
    --------
    >>> s = (np.sqrt(-2 * np.log([0.5, 0.1, 0.001])) - CENTER) / HALF_WIDTH
    >>> np.abs(np.polynomial.Polynomial(quantile_coefficients())(s)).round(6)
    array([0.      , 1.281552, 3.090232])
    """
    return [float(a) for a in np.polynomial.chebyshev.cheb2poly(_QUANTILE_CHEBYSHEV)]
