r"""Initial values of parameters.

An initializer is called as ``initializer(shape, fan_in=..., fan_out=..., rng=...)`` and returns a
float64 array of that shape, so that one seed gives the same network in float32 and in float64.
Layers accept a name or an object:

>>> import nnlayers as nn
>>> nn.Affine(64, 10, weight_init="glorot_uniform", rng=0)
Affine(64, 10, weight_init='glorot_uniform')
>>> nn.Affine(64, 10, weight_init=nn.initializers.Normal(std=0.01), rng=0)
Affine(64, 10, weight_init=Normal(std=0.01, mean=0.0))

A layer passes `fan_in` and `fan_out` for each of its parameters: the number of values that one
output sums over, and the number of outputs that one input feeds. A shape does not always tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, as_floats
from nnlayers._core.checks import check_choice, check_number, look_up
from nnlayers._core.rebuilding import reserve
from nnlayers._core.showing import shown

__all__ = [
    "NAMES",
    "Constant",
    "Initializer",
    "Normal",
    "Orthogonal",
    "Uniform",
    "VarianceScaling",
    "draw",
    "get",
]

Initializer: TypeAlias = Callable[..., npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Constant:
    """Constant value for every entry.

    Parameters
    ----------
    value : float
        The entry.

    Examples
    --------
    >>> Constant(0.5)((2,), fan_in=1, fan_out=2, rng=np.random.default_rng(0))
    array([0.5, 0.5])
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_number("value", self.value)

    def __call__(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the array."""
        return np.full(shape, self.value, dtype=np.float64)


@dataclass(frozen=True)
class Normal:
    """Independent normal draws.

    Parameters
    ----------
    std : float
        Standard deviation, at least 0.
    mean : float
        Mean.

    Examples
    --------
    >>> Normal(std=0.0, mean=2.0)((2,), fan_in=1, fan_out=2, rng=np.random.default_rng(0))
    array([2., 2.])
    """

    std: float = 0.05
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_number("std", self.std, minimum=0)
        check_number("mean", self.mean)

    def __call__(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the draws."""
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform:
    """Independent uniform draws from ``[low, high)``.

    Parameters
    ----------
    low, high : float
        The bounds, ``low <= high``.

    Examples
    --------
    >>> Uniform(1.0, 1.0)((2,), fan_in=1, fan_out=2, rng=np.random.default_rng(0))
    array([1., 1.])
    """

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        check_number("low", self.low)
        check_number("high", self.high, minimum=self.low)

    def __call__(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the draws."""
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class VarianceScaling:
    r"""Variance scaling (He, Glorot, LeCun): draws of mean 0 and variance ``scale / fan``.

    The named schemes are instances of this one:

    ==================== ===== ========= ===========================
    name                 scale fan       from
    ==================== ===== ========= ===========================
    ``he_*``             2     in        He et al. (2015) [He15]_
    ``glorot_*``         1     average   Glorot & Bengio (2010) [GB10]_
    ``lecun_*``          1     in        LeCun et al. (1998) [LC98]_
    ``small_normal``     0.01  in        for the last layer: outputs that start near 0
    ==================== ===== ========= ===========================

    Parameters
    ----------
    scale : float
        The numerator of the variance, above 0.
    fan : {"in", "average"}
        The divisor of the variance: `fan_in`, or the mean of `fan_in` and `fan_out`.
    distribution : {"normal", "uniform"}
        The shape of the distribution; the uniform one has the bounds
        :math:`\pm\sqrt{3\,\mathrm{scale}/\mathrm{fan}}`.

    References
    ----------
    .. [He15] K. He et al., "Delving deep into rectifiers", ICCV 2015.
    .. [GB10] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [LC98] Y. LeCun et al., "Efficient BackProp", Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> W = get("he_normal")((1000, 50), fan_in=1000, fan_out=50, rng=np.random.default_rng(0))
    >>> round(W.std() * np.sqrt(1000 / 2), 2)
    np.float64(1.0)
    """

    scale: float
    fan: Literal["in", "average"]
    distribution: Literal["normal", "uniform"]

    def __post_init__(self) -> None:
        check_number("scale", self.scale, above=0)
        check_choice("fan", self.fan, ["in", "average"])
        check_choice("distribution", self.distribution, ["normal", "uniform"])

    def __call__(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the draws."""
        fan = fan_in if self.fan == "in" else (fan_in + fan_out) / 2
        std = math.sqrt(self.scale / fan)
        if self.distribution == "normal":
            return rng.normal(0.0, std, shape)
        bound = math.sqrt(3) * std
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class Orthogonal:
    """Orthogonal matrix: orthonormal rows or columns, whichever are fewer, times `gain`.

    The matrix is the Q of the QR decomposition of a matrix of normal draws, its signs fixed so
    that it is uniform over the orthogonal matrices [Saxe14]_. An array of more than two axes is
    filled as the matrix of its first axis by the rest.

    Parameters
    ----------
    gain : float
        Factor.

    References
    ----------
    .. [Saxe14] A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep
       linear neural networks", ICLR 2014; F. Mezzadri, "How to generate random matrices from the
       classical compact groups", Notices of the AMS 54, 2007.

    Examples
    --------
    >>> W = Orthogonal()((3, 2), fan_in=3, fan_out=2, rng=np.random.default_rng(0))
    >>> bool(np.allclose(W.T @ W, np.eye(2)))
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def __call__(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """Return the matrix.

        Raises
        ------
        ValueError
            If `shape` has fewer than two axes.
        """
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least two axes, got {shape}")
        rows, columns = shape[0], math.prod(shape[1:])
        draws = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(draws)
        q *= np.where(np.diag(r) < 0, -self.gain, self.gain)
        matrix = q if rows >= columns else q.T
        return np.ascontiguousarray(matrix).reshape(shape)


NAMES: dict[str, Initializer] = {
    "zeros": Constant(0.0),
    "ones": Constant(1.0),
    "constant": Constant(),
    "normal": Normal(),
    "uniform": Uniform(),
    "he_normal": VarianceScaling(2, "in", "normal"),
    "he_uniform": VarianceScaling(2, "in", "uniform"),
    "glorot_normal": VarianceScaling(1, "average", "normal"),
    "glorot_uniform": VarianceScaling(1, "average", "uniform"),
    "lecun_normal": VarianceScaling(1, "in", "normal"),
    "lecun_uniform": VarianceScaling(1, "in", "uniform"),
    "small_normal": VarianceScaling(0.01, "in", "normal"),
    "orthogonal": Orthogonal(),
}


def get(initializer: Initializer | str, name: str = "initializer") -> Initializer:
    """Return an initializer by name; a callable is returned as it is.

    Errors call it `name`.

    Raises
    ------
    ValueError
        If the name is unknown; the message suggests the nearest known one.
    TypeError
        If `initializer` is neither a name nor callable.

    Examples
    --------
    >>> get("lecun_normal")
    VarianceScaling(scale=1, fan='in', distribution='normal')
    """
    if isinstance(initializer, str):
        return look_up("initializer", initializer, NAMES)
    if not callable(initializer):
        raise TypeError(f"{name} must be a name or callable, got {shown(initializer)}")
    return initializer


def draw(
    initializer: Initializer | str,
    shape: tuple[int, ...],
    fan_in: int,
    fan_out: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return the initial values of a parameter from an initializer or its name.

    Raises
    ------
    ValueError
        If the name is unknown, or a user's initializer returns another shape.
    TypeError
        If `initializer` is neither a name nor callable, or does not return real numbers.

    Examples
    --------
    >>> draw("ones", (2,), fan_in=1, fan_out=2, rng=np.random.default_rng(0))
    array([1., 1.])
    """
    make = get(initializer)
    if reserve(shape):
        return np.broadcast_to(np.ones((), FLOAT64), shape)  # This array is one number in memory.
    value = make(shape, fan_in=fan_in, fan_out=fan_out, rng=rng)
    array = as_floats(value, FLOAT64, f"the array that {initializer!r} returns")
    if array.shape != shape:
        raise ValueError(
            f"{initializer!r} must return an array of shape {shape}, got {array.shape}"
        )
    return array
