"""Scale numbers for a network: by mean and deviation, by a logarithm, by quantiles or in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number

__all__ = [
    "LogScaler",
    "PiecewiseScaler",
    "QuantileScaler",
    "Scaler",
    "Standardizer",
    "scaler_from_dict",
]

# Quantiles at 256 steps describe a column about as well as its ranks do.
_STEPS = 256
# What lies beyond the training rows counts as the outermost of 1,000 rows.
_OUTERMOST = 1e-3
# After as many rounds, the shares of frequent numbers hardly change.
_ROUNDS = 20
# Squares and sums of numbers of a size between these neither overflow nor underflow.
_TINY, _HUGE = 2.0**-400, 2.0**400

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standardizer:
    """Standardise numbers to mean 0 and standard deviation 1: ``(x - mean) / scale``.

    Parameters
    ----------
    mean, scale : float
        `scale` must be above 0; the defaults change nothing.

    Examples
    --------
    >>> Standardizer.fit(np.array([1.0, 3.0]))
    Standardizer(mean=2.0, scale=1.0)
    """

    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, values: Numbers) -> Self:
        """Compute the mean and the population standard deviation (1 for a constant) of values."""
        if not len(values):
            return cls()
        low, high = values.min(), values.max()
        if low == high:
            return cls(mean=float(low))
        unit = 1.0
        # Only such numbers have squares that overflow or underflow.
        if not _TINY < max(-low, high) < _HUGE:
            unit = _unit(values)
            values = values / unit
        mean = values.mean(keepdims=True)
        return cls(float(unit * mean[0]), float(unit * values.std(mean=mean)) or 1.0)

    @property
    def width(self) -> int:
        """The number of features."""
        return 1

    def scaled(self, values: Array) -> Array:
        """Return standardised values, of shape (rows, 1)."""
        with np.errstate(over="ignore"):
            return ((values - self.mean) / self.scale)[:, np.newaxis]

    def raw(self, values: Array) -> Array:
        """Return the raw values of standardised ones."""
        return values * self.scale + self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        return {"mean": self.mean, "scale": self.scale}


@dataclass(frozen=True)
class LogScaler:
    r"""Standardise the logarithm of skewed numbers, with their sign and finite at zero.

    .. math:: \operatorname{sign}(x) \log(1 + |x| / u)

    is linear around zero and logarithmic beyond the unit u, the median of the absolute values other
    than zero, but at least 1e-30 of the largest, so that |x| / u is finite in float32, too.

    Parameters
    ----------
    unit : float
        u, above 0.
    standardizer : Standardizer
        The standardisation of the logarithms.

    Examples
    --------
    >>> scaler = LogScaler.fit(np.array([0.0, 10.0, 10.0, 1000.0]))
    >>> scaler.unit
    10.0
    >>> scaler.scaled(np.array([0.0, 1000.0])).round(2).ravel()
    array([-0.82,  1.71])
    """

    unit: float
    standardizer: Standardizer

    @classmethod
    def fit(cls, values: Numbers) -> Self:
        """Compute the unit, and the mean and deviation of the logarithms."""
        sizes = np.abs(values[values != 0])
        unit = max(float(np.median(sizes)), 1e-30 * float(sizes.max())) if len(sizes) else 1.0
        return cls(unit, Standardizer.fit(_signed_logarithm(values, unit)))

    @property
    def width(self) -> int:
        """The number of features."""
        return 1

    def scaled(self, values: Array) -> Array:
        """Return standardised logarithms, of shape (rows, 1)."""
        return self.standardizer.scaled(_signed_logarithm(values, self.unit))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        return {"unit": self.unit, **self.standardizer.to_dict()}


@dataclass(frozen=True)
class QuantileScaler:
    """Give numbers a normal distribution: the normal deviate of their rank among training rows.

    Ranks are interpolated between 257 quantiles; equal numbers have the mean of their ranks. What
    lies beyond the training rows counts as the outermost of them.

    Parameters
    ----------
    quantiles : tuple of float
        The quantiles at equal steps, from the smallest number to the largest.

    References
    ----------
    scikit-learn, ``sklearn.preprocessing.QuantileTransformer(output_distribution="normal")``.

    Examples
    --------
    >>> scaler = QuantileScaler.fit(np.array([1.0, 2.0, 4.0, 800.0, 9000.0]))
    >>> scaler.scaled(np.array([2.0, 4.0, 800.0, 1e9])).round(2).ravel()
    array([-0.67,  0.  ,  0.67,  3.09])
    """

    quantiles: tuple[float, ...]

    @classmethod
    def fit(cls, values: Numbers) -> Self:
        """Compute the quantiles."""
        if not len(values):
            return cls((0.0, 0.0))
        unit = _unit(values)
        # NumPy sorts in a small part of the time in which it finds so many quantiles.
        ordered = np.sort(values / unit)
        quantiles = unit * np.quantile(ordered, np.linspace(0, 1, _STEPS + 1))
        return cls(tuple(np.maximum.accumulate(quantiles).tolist()))  # Rounding may disorder them.

    @property
    def width(self) -> int:
        """The number of features."""
        return 1

    def scaled(self, values: Array) -> Array:
        """Return normal deviates, of shape (rows, 1)."""
        unit = _unit(np.array(self.quantiles))
        quantiles = np.array(self.quantiles) / unit
        steps = np.linspace(0, 1, len(quantiles))
        with np.errstate(over="ignore"):
            values = values / unit
        # Numbers in ascending order are found among the quantiles in half of the time.
        order = np.argsort(values)
        values = values[order]
        ranks = np.interp(values, quantiles, steps)
        if (np.diff(quantiles) == 0).any():
            above = 1 - np.interp(-values, -quantiles[::-1], steps)
            ranks = (ranks + above) / 2
        deviates = np.empty((len(values), 1))
        deviates[order, 0] = ndtri(np.clip(ranks, _OUTERMOST, 1 - _OUTERMOST))
        return deviates

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        return {"quantiles": list(self.quantiles)}


@dataclass(frozen=True)
class PiecewiseScaler:
    r"""Encode numbers by how much of each of several intervals lies below them.

    With edges :math:`e_0 < \dots < e_T`, feature t of T is

    .. math:: \min\Big(1, \max\Big(0, \frac{x - e_{t-1}}{e_t - e_{t-1}}\Big)\Big),

    where the first may fall to -1 and the last rise to 2, beyond the training rows. A network can
    then give each interval its own slope, as trees do steps.

    Edges are quantiles of the training rows, for which a number that occurs in more than one
    interval's share of rows counts as that share only, so that they resolve the rest of a column
    that is mostly zero.

    Parameters
    ----------
    edges : tuple of float
        The edges in ascending order, at least two.

    References
    ----------
    Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.

    Examples
    --------
    >>> scaler = PiecewiseScaler((0.0, 1.0, 10.0))
    >>> scaler.scaled(np.array([0.5, 5.5, 19.0]))
    array([[0.5, 0. ],
           [1. , 0.5],
           [1. , 2. ]])
    """

    edges: tuple[float, ...]

    @classmethod
    def fit(cls, values: Numbers, intervals: int) -> Self:
        """Compute the edges of at most so many intervals."""
        numbers, counts = np.unique(values, return_counts=True)
        if len(numbers) > intervals + 1:
            shares = counts.astype(np.float64)
            for _ in range(_ROUNDS):  # A limit on large shares makes all others larger.
                limit = shares.sum() / intervals
                if shares.max() <= limit:
                    break
                shares = np.minimum(shares, limit)
            ranks = np.cumsum(shares) - shares / 2
            ranks = (ranks - ranks[0]) / (ranks[-1] - ranks[0])
            unit = _unit(numbers)
            edges = np.interp(np.linspace(0, 1, intervals + 1), ranks, numbers / unit)
            numbers = np.unique(unit * edges)
        if len(numbers) < 2:  # A constant column, or none, has one interval of length 1.
            start = float(numbers[0]) if len(numbers) else 0.0
            numbers = np.array([start, start + max(1.0, abs(start))])
        return cls(tuple(numbers.tolist()))

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.edges) - 1

    def scaled(self, values: Array) -> Array:
        """Return the shares, of shape (rows, intervals)."""
        unit = _unit(np.array(self.edges))
        edges = np.array(self.edges) / unit
        lowest, highest = np.zeros(self.width), np.ones(self.width)
        lowest[0], highest[-1] = -1, 2
        with np.errstate(over="ignore"):
            shares = ((values / unit)[:, np.newaxis] - edges[:-1]) / np.diff(edges)
        return np.clip(shares, lowest, highest, out=shares)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        return {"edges": list(self.edges)}


Scaler = Standardizer | LogScaler | QuantileScaler | PiecewiseScaler


def scaler_from_dict(data: Mapping[str, Any]) -> Scaler:
    """Return the scaler of a dictionary that its `to_dict` returned.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an entry is missing or out of range.
    """
    if "edges" in data:
        return PiecewiseScaler(_ascending("edges", data["edges"], strictly=True))
    if "quantiles" in data:
        return QuantileScaler(_ascending("quantiles", data["quantiles"]))
    mean = check_number("mean", data["mean"])
    standardizer = Standardizer(mean, check_number("scale", data["scale"], above=0))
    if "unit" not in data:
        return standardizer
    return LogScaler(check_number("unit", data["unit"], above=0), standardizer)


def _signed_logarithm(values: Array, unit: float) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit))


def _unit(values: Array) -> float:
    """Return the power of two of the largest value.

    Division by it is exact, and keeps products and differences from overflow and underflow.
    """
    largest = np.abs(values).max()
    return float(np.ldexp(1.0, np.frexp(largest)[1] - 1)) if largest else 1.0


def _ascending(name: str, values: Any, *, strictly: bool = False) -> tuple[float, ...]:
    """Return finite numbers in ascending order, at least two."""
    if not isinstance(values, list) or len(values) < 2:
        raise ValueError(f"{name} must be a list of at least two numbers, got {values!r:.200}")
    numbers = tuple(check_number(name, value) for value in values)
    if any(low > high or (strictly and low == high) for low, high in pairwise(numbers)):
        raise ValueError(f"{name} must be in ascending order, got {values!r:.200}")
    return numbers
