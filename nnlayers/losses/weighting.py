"""Weight the losses of rows, and take their mean or sum."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers.losses.checks import check_range

__all__ = ["Reduction", "apply_weights", "reduce_losses", "row_weights", "scale_slopes"]

Reduction: TypeAlias = Literal["mean", "sum"]


def row_weights(sample_weight: npt.ArrayLike | None, prediction: Array) -> Array | None:
    """Return sample weights as float64, in a shape that multiplies the rows of the prediction."""
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


def reduce_losses(
    reduction: Reduction, losses: Array, weights: Array | None, mass: Array | None = None
) -> tuple[float, Array | float, float]:
    """Return the mean or sum of the losses, the factor of each loss in it, and the mean's divisor.

    `weights` broadcasts to the losses. The divisor is the sum of the weights times `mass`, the
    weight of each loss's class, which is 1 by default.
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
        if divisor == np.inf > weights.max():
            # The mean does not change if all weights are scaled alike.
            value, scale, _ = reduce_losses(reduction, losses, weights * 2.0**-64, mass)
            return value, scale, divisor
        scale = weights / divisor if divisor else np.zeros_like(weights)
    value = float(np.add.reduce(losses * scale, axis=None))
    if value != value:
        # The NaN may come from an infinite loss in a row of weight 0, which does not count.
        value = float(np.add.reduce(apply_weights(np.asarray(scale), losses), axis=None))
    return value, scale, divisor


def scale_slopes(scale: Array | float, slopes: Array) -> Array:
    """Return slopes times the factors of :func:`reduce_losses`, with 0 for infinity of weight 0."""
    product = np.asarray(slopes * scale)
    if isinstance(scale, float) or not product.size:
        return product
    # `argmax` finds a NaN in a fifth of the time of `isnan` and `any`.
    largest = product.item(product.argmax())
    return product if largest == largest else apply_weights(scale, slopes)


def apply_weights(weight: Array, x: Array) -> Array:
    """Return weight times x, with 0 for a weight of 0 and an infinite x.

    Examples
    --------
    >>> with np.errstate(invalid="ignore"):
    ...     apply_weights(np.array([0.0, 0.0, 2.0]), np.array([np.inf, np.nan, 3.0]))
    array([ 0., nan,  6.])
    """
    return np.where((weight == 0) & np.isinf(x), 0, weight * x)
