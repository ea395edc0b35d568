"""Kernels that all losses share: weights of rows, and losses that act entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from nnlayers.engine.kernel import (
    Count,
    DoubleFlat,
    DoubleNumber,
    DoubleVector,
    Flat,
    Helper,
    Kernel,
    double_kernel,
    helper,
)

__all__ = ["LossKernels", "elementwise_loss", "weigh"]


@double_kernel
def weigh(
    weight: DoubleFlat, mass: DoubleFlat, is_mean: Count, scale: DoubleFlat, result: DoubleVector
) -> int:
    """Compute the factor of each loss in the mean or sum, and result[1], the divisor of the mean.

    `weight` has a number for each row of the batch, `mass` one for each loss; either may be left
    out. The step stops where a weight is invalid or their sum overflows.
    """
    losses = scale.size
    if weight.size == 0 and mass.size == 0:
        each = 1.0 / losses if is_mean != 0 and losses > 0 else 1.0
        for i in range(losses):
            scale[i] = each
        result[1] = losses
        return 0
    for i in range(losses):
        scale[i] = 1.0
    if weight.size > 0:
        width = losses // weight.size
        for i in range(weight.size):
            if not (weight[i] >= 0.0 and isfinite(weight[i])):
                return 1
            for j in range(width):
                scale[i * width + j] = weight[i]
    divisor = 1.0
    if is_mean != 0:
        divisor = 0.0
        for i in range(losses):
            divisor += scale[i] * mass[i] if mass.size > 0 else scale[i]
        inverse = 1.0 / divisor if divisor > 0.0 else 0.0
        for i in range(losses):
            scale[i] *= inverse
    result[1] = divisor
    return 0 if isfinite(divisor) else 1


class LossKernels(NamedTuple):
    """The kernels of a loss: with its gradient for training, and without."""

    forward: Kernel[Any, Any]
    predict: Kernel[Any, Any]


def elementwise_loss(function: Callable[..., tuple[Any, Any]]) -> LossKernels:
    """Return the kernels of a loss that is a sum over entries.

    The function gets a prediction and a target as float64, and parameters; it returns the loss and
    its derivative. NaN stops the step, so a function returns it for a target out of range.
    """
    f = function if isinstance(function, Helper) else helper(function)

    def forward(
        p: Flat,
        t: DoubleFlat,
        scale: DoubleFlat,
        result: DoubleVector,
        dp: Flat,
        *parameters: DoubleNumber,
    ) -> int:
        value = 0.0
        for i in range(p.size):
            loss, slope = f(np.float64(p[i]), t[i], *parameters)
            value += scale[i] * loss
            dp[i] = scale[i] * slope
        result[0] = value
        return 0 if isfinite(value) else 1

    def predict(
        p: Flat,
        t: DoubleFlat,
        scale: DoubleFlat,
        result: DoubleVector,
        *parameters: DoubleNumber,
    ) -> int:
        value = 0.0
        for i in range(p.size):
            value += scale[i] * f(np.float64(p[i]), t[i], *parameters)[0]
        result[0] = value
        return 0 if isfinite(value) else 1

    for passing in (forward, predict):
        passing.__name__ = f"{f.__name__}_{passing.__name__}"
        passing.__module__ = f.__module__
    return LossKernels(double_kernel(forward), double_kernel(predict))
