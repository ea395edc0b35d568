"""Functions of layers in NumPy alone, which exported Python modules hold as they stand here.

They may use each other and the constants of this file, NumPy and the standard library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers.export.gaussian import SCALE, tail_coefficients

__all__ = [
    "as_ids",
    "as_rows",
    "clip_gate",
    "elu",
    "entity_vectors",
    "gelu",
    "gelu_tanh",
    "layer_norm",
    "leaky_relu",
    "log_softmax",
    "mean",
    "mish",
    "normal_distribution",
    "rms_norm",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "vectors",
]

Array = npt.NDArray[Any]

TAIL_SCALE = SCALE
TAIL = tail_coefficients(np.float64)


def as_rows(x: npt.ArrayLike, dtype: str, shape: tuple[int, ...]) -> Array:
    """Return an input as floats, after a check of the shape of its rows.

    Examples
    --------
    >>> as_rows([[1, 2]], "float32", (3,))
    Traceback (most recent call last):
    ValueError: expected an array of shape (rows, 3), got (1, 2)
    """
    array = np.asarray(x, dtype)
    if array.ndim == 0 or array.shape[1:] != shape:
        expected = ", ".join(["rows", *map(str, shape)]) + ("" if shape else ",")
        raise ValueError(f"expected an array of shape ({expected}), got {array.shape}")
    return array


def as_ids(x: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return an input of ids as integers, after a check of the shape of its rows.

    Examples
    --------
    >>> as_ids([[0.5]], (1,))
    Traceback (most recent call last):
    TypeError: expected integer ids, got float64
    """
    array = np.asarray(x)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"expected integer ids, got {array.dtype}")
    as_rows(array, "float64", shape)
    return array.astype(np.intp)


def vectors(weights: Array, ids: Array) -> Array:
    """Return the vector of each id.

    Examples
    --------
    >>> vectors(np.eye(2), np.array([2]))
    Traceback (most recent call last):
    ValueError: expected ids from 0 to 1, got 2
    """
    bad = (ids < 0) | (ids >= len(weights))
    if bad.any():
        raise ValueError(f"expected ids from 0 to {len(weights) - 1}, got {ids[bad][0]}")
    return np.asarray(weights[ids])


def entity_vectors(x: Array, columns: list[int], weights: list[Array]) -> Array:
    """Return the columns that are no ids, and the vectors of the ids in the others.

    Examples
    --------
    >>> entity_vectors(np.array([[1.0, 5.0]]), [0], [np.array([[7.0], [8.0]])])
    array([[5., 8.]])
    """
    others = [column for column in range(x.shape[-1]) if column not in columns]
    parts = [x[..., others]]
    for column, table in zip(columns, weights, strict=True):
        ids = x[..., column]
        if (ids != np.floor(ids)).any():
            raise ValueError(f"expected whole ids in column {column}")
        parts.append(vectors(table, ids.astype(np.intp)))
    return np.concatenate(parts, axis=-1)


def leaky_relu(x: Array, slope: float) -> Array:
    """Return x above 0, and slope times x below.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 2.0]), 0.5), leaky_relu(np.array([-2.0, -np.inf, 2.0]), 0)
    (array([-1.,  2.]), array([0., 0., 2.]))
    """
    below = slope * x if slope else np.zeros_like(x)  # 0 times infinity would be NaN.
    return np.asarray((np.maximum if slope <= 1 else np.minimum)(x, below))


def elu(x: Array, alpha: float) -> Array:
    """Return x above 0, and alpha (e^x - 1) below.

    Examples
    --------
    >>> elu(np.array([-np.inf, 0.0, 2.0]), 1.0)
    array([-1.,  0.,  2.])
    """
    return np.asarray(np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)))


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x).

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    return np.asarray(np.maximum(e, x > 0) / (1 + e))


def softplus(x: Array, beta: float) -> Array:
    """Return log(1 + e^(beta x)) / beta.

    Examples
    --------
    >>> softplus(np.array([-1000.0, 0.0, 1000.0]), 1.0).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+03])
    """
    # In float32 the rounding of beta x would cost 50 units in the last place of e^(beta x).
    z = np.multiply(x, beta, dtype=x.dtype if beta == 1 else np.float64)
    y = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(z))) / beta
    return np.asarray(y, x.dtype)


def softsign(x: Array) -> Array:
    """Return x / (1 + abs(x)).

    Examples
    --------
    >>> softsign(np.array([-np.inf, 0.0, 1.0]))
    array([-1. ,  0. ,  0.5])
    """
    c = x.clip(-1e30, 1e30)
    return np.asarray(c / (1 + np.abs(c)))


def clip_gate(x: Array) -> tuple[Array, Array]:
    """Return x in float64, where a gate of x is neither 0 nor 1, and where it may be 1.

    Examples
    --------
    >>> clip_gate(np.array([-np.inf, 1.0, np.inf]))
    (array([-1000.,     1.,    40.]), array([-1000.,     1.,    inf]))
    """
    return x.clip(-1000, 40).astype(np.float64), x.clip(-1000)


def normal_distribution(x: Array) -> Array:
    """Return the probability that a normal draw is below x.

    Examples
    --------
    >>> normal_distribution(np.array([-40.0, 0.0, 1.0, 40.0])).round(6)
    array([0.      , 0.5     , 0.841345, 1.      ])
    """
    a = np.abs(x)
    t = 1 / (1 + TAIL_SCALE * a)
    q = np.zeros_like(t)
    for coefficient in reversed(TAIL):
        q = q * (2 * t - 1) + coefficient
    tail = q * t * np.exp(-0.5 * a * a)
    return np.where(x > 0, 1 - tail, tail)


def gelu(x: Array) -> Array:
    """Return x times the probability that a normal draw is below x.

    Examples
    --------
    >>> gelu(np.array([-np.inf, 0.0, 2.0])).round(4)
    array([-0.    ,  0.    ,  1.9545])
    """
    t, y = clip_gate(x)
    return np.asarray(y * normal_distribution(t), x.dtype)


def gelu_tanh(x: Array) -> Array:
    """Return GELU's approximation by the hyperbolic tangent.

    Examples
    --------
    >>> gelu_tanh(np.array([-np.inf, 0.0, 2.0])).round(4)
    array([-0.    ,  0.    ,  1.9546])
    """
    t, y = clip_gate(x)
    twice_u = 2 * math.sqrt(2 / math.pi) * (1 + 0.044715 * np.square(t)) * t
    n = np.exp(np.minimum(twice_u, 40))
    return np.asarray(y * (n / (1 + n)), x.dtype)


def silu(x: Array) -> Array:
    """Return x / (1 + e^-x).

    Examples
    --------
    >>> silu(np.array([-np.inf, 0.0, 2.0])).round(4)
    array([-0.    ,  0.    ,  1.7616])
    """
    t, y = clip_gate(x)
    n = np.exp(t)
    return np.asarray(y * (n / (1 + n)), x.dtype)


def mish(x: Array) -> Array:
    """Return x tanh(log(1 + e^x)).

    Examples
    --------
    >>> mish(np.array([-np.inf, 0.0, 2.0])).round(4)
    array([-0.   ,  0.   ,  1.944])
    """
    t, y = clip_gate(x)
    n = np.exp(t)
    p = n * (n + 2)
    return np.asarray(y * (p / (p + 2)), x.dtype)


def softmax(x: Array, axis: int) -> Array:
    """Return probabilities from scores along an axis.

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0]]), -1)
    array([[0.5, 0.5]])
    """
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    y = np.exp(np.subtract(x, top, dtype=np.float64))
    y /= y.sum(axis=axis, keepdims=True)
    return np.asarray(y, x.dtype)


def log_softmax(x: Array, axis: int) -> Array:
    """Return logarithms of probabilities from scores along an axis.

    Examples
    --------
    >>> log_softmax(np.array([[0.0, -1000.0]]), -1)
    array([[    0., -1000.]])
    """
    if not x.size:
        return x
    top = x.argmax(axis=axis, keepdims=True)
    shifted = np.subtract(x, np.take_along_axis(x, top, axis), dtype=np.float64)
    e = np.exp(shifted)
    # The largest score contributes 1 to the sum, which would swallow small contributions.
    np.put_along_axis(e, top, np.take_along_axis(shifted, top, axis), axis)
    y = shifted - np.log1p(e.sum(axis=axis, keepdims=True))
    return np.asarray(y, x.dtype)


def mean(x: Array, axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """Return the mean along some axes; that of no entries is NaN.

    Examples
    --------
    >>> mean(np.array([[1.0, 3.0]]), 1, True)
    array([[2.]])
    """
    total = x.sum(axis=axis, keepdims=keepdims)
    count = x.size // total.size if total.size else 0
    return np.asarray(total / x.dtype.type(count))


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    """Return rows of mean 0 and variance 1, scaled and shifted.

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2), 1e-5).round(3)
    array([[-1.,  1.]])
    """
    ones = np.ones(x.shape[-1], x.dtype)
    centered = x - (x.dot(ones) / x.shape[-1])[..., np.newaxis]
    variance = (np.square(centered).dot(ones) / x.shape[-1])[..., np.newaxis] + eps
    # Where a square overflowed this is NaN, where 1 / sqrt would be 0.
    return np.asarray(centered * (np.sqrt(variance) / variance) * gamma + beta)


def rms_norm(x: Array, gamma: Array, eps: float) -> Array:
    """Return rows divided by their root mean square, scaled.

    Examples
    --------
    >>> rms_norm(np.array([[0.0, 20.0]]), np.ones(2), 1e-5).round(3)
    array([[0.   , 1.414]])
    """
    ones = np.ones(x.shape[-1], x.dtype)
    square = (np.square(x).dot(ones) / x.shape[-1])[..., np.newaxis] + eps
    return np.asarray(x * (np.sqrt(square) / square) * gamma)
