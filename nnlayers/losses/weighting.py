"""Weight the losses of rows, and take their mean or sum."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers.losses.checks import check_range

__all__ = ["Reduction", "reduced", "row_weights", "scaled", "weighted"]

Reduction: TypeAlias = Literal["mean", "sum"]


def row_weights(sample_weight: npt.ArrayLike | None, prediction: Array) -> Array | None:
    """Return the weights as float64, shaped to multiply prediction's rows."""
    if sample_weight is None:
        return None
    weights = as_floats(sample_weight, FLOAT64, "sample_weight")
    if weights.shape != prediction.shape[:1]:
        raise ValueError(
            f"sample_weight must have one number a row, shape {prediction.shape[:1]}, "
            f"got {weights.shape}"
        )
    check_range(weights, name="sample_weight")
    return weights.reshape(weights.shape + (1,) * (prediction.ndim - 1))


def reduced(
    reduction: Reduction, losses: Array, weights: Array | None, mass: Array | None = None
) -> tuple[float, Array | float, float]:
    """Return the mean or sum of the losses, each loss's factor in it, and the mean's divisor.

    `weights` broadcasts to the losses; `mass` is what each counts for in the mean, 1 if not given.
    """
    if weights is None and mass is None:
        total = float(np.add.reduce(losses, axis=None))
        count = losses.size if reduction == "mean" and losses.size else 1
        return total / count, 1 / count, losses.size
    if weights is None:
        weights = np.ones((1,) * losses.ndim)
    scale: Array | float = weights
    divisor = 1.0
    if reduction == "mean":
        counted = weights if mass is None else weights * mass
        divisor = float(np.broadcast_to(counted, losses.shape).sum())
        if divisor == np.inf > weights.max():  # a mean is the same for weights in any unit
            value, scale, _ = reduced(reduction, losses, weights * 2.0**-64, mass)
            return value, scale, divisor
        scale = weights / divisor if divisor else np.zeros_like(weights)
    value = float(np.add.reduce(losses * scale, axis=None))
    if value != value:  # perhaps by an infinite loss in a row of no weight
        value = float(np.add.reduce(weighted(np.asarray(scale), losses), axis=None))
    return value, scale, divisor


def scaled(scale: Array | float, slopes: Array) -> Array:
    """Return slopes times the factors of :func:`reduced`; infinite ones of no weight give 0."""
    product = np.asarray(slopes * scale)
    if isinstance(scale, float) or not product.size:
        return product
    # `argmax` finds a NaN, in a fifth of the time of `isnan` and `any`.
    largest = product.item(product.argmax())
    return product if largest == largest else weighted(scale, slopes)


def weighted(weight: Array, x: Array) -> Array:
    """Return weight times x, and 0 where the weight is 0 though x is infinite.

    Examples
    --------
    >>> with np.errstate(invalid="ignore"):
    ...     weighted(np.array([0.0, 0.0, 2.0]), np.array([np.inf, np.nan, 3.0]))
    array([ 0., nan,  6.])
    """
    return np.where((weight == 0) & np.isinf(x), 0, weight * x)
