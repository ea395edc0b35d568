"""Kernels of the cross-entropies.

Those of SoftmaxCrossEntropy follow :func:`nnlayers.engine.kernels.softmax.exponentials`. For
classes, e = exp(z - z_y) with the score of the row's class y; for distributions, e = exp(below),
where ``below`` is z minus the largest score of the row.
"""

from __future__ import annotations

import math
from math import isfinite
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.functions import NAN, decay_and_expm1, exp, log1p, log1p_of_fraction
from nnlayers.engine.kernel import (
    DoubleFlat,
    DoubleNumber,
    DoubleRows,
    DoubleVector,
    IntFlat,
    Rows,
    double_kernel,
    helper,
)
from nnlayers.engine.kernels.losses import elementwise_loss

__all__ = [
    "class_gradient",
    "class_losses",
    "class_masses",
    "distribution_gradient",
    "distribution_losses",
    "sigmoid_losses",
    "sigmoid_losses_by_column",
    "smooth_classes",
    "smooth_probabilities",
    "subtract_own",
]


# Where e^64 is added to 1, the 1 is lost, and the sum of as many exponentials as fit into memory is
# finite. A larger exponent would have more digits before the point, and fewer behind it.
FAR = 64.0
EXP_FAR = math.exp(FAR)


@double_kernel
def class_masses(y: IntFlat, class_weight: DoubleVector, mass: DoubleFlat) -> int:
    """Look up the weight of each row's class; stop if there is none."""
    for i in range(y.size):
        if y[i] < 0 or y[i] >= class_weight.size:
            return 1
        mass[i] = class_weight[y[i]]
    return 0


@double_kernel
def subtract_own(z: Rows, y: IntFlat, difference: DoubleRows) -> int:
    """Compute each score minus that of the row's class; stop for unknown classes."""
    rows, classes = z.shape
    for i in range(rows):
        if y[i] < 0 or y[i] >= classes:
            return 1
        own = np.float64(z[i, y[i]])
        for k in range(classes):
            difference[i, k] = np.float64(z[i, k]) - own
    return 0


@helper
def divide_exponentials(z: Array, own: int, e: Array) -> float:
    """Compute e^(z - z_own - shift) of a row, but 0 for the class itself; return the shift.

    The shift makes the largest exponent FAR.
    """
    top = np.float64(z[own])
    for k in range(z.size):
        top = np.float64(z[k]) if z[k] > top else top
    for k in range(z.size):
        e[k], _ = decay_and_expm1(np.float64(z[k]) - top + FAR)
    e[own] = 0.0
    return top - np.float64(z[own]) - FAR


@double_kernel
def class_losses(
    z: Rows,
    e: DoubleRows,
    y: IntFlat,
    mass: DoubleFlat,
    scale: DoubleFlat,
    rest: DoubleFlat,
    shift: DoubleFlat,
    result: DoubleVector,
) -> int:
    """Compute log(1 + sum(e)) of each row over the other classes, times mass and scale, and add up.

    This is -log softmax(z)_y, exact however certain the class is. `rest` is that sum, divided by
    e^shift where it is so large that 1 is lost beside it. The entry of e for the class itself
    becomes -rest, so that the gradient is a multiple of e.
    """
    rows, classes = e.shape
    for i in range(rows):
        # It is NaN where the score is infinite.
        if e[i, y[i]] != 1.0:
            return 1
        e[i, y[i]] = 0.0
        shift[i] = 0.0
        scale[i] *= mass[i] if mass.size > 0 else 1.0
    for i in range(rows):
        total = 0.0
        for k in range(classes):
            total += e[i, k]
        if total > EXP_FAR:
            shift[i] = divide_exponentials(z[i], y[i], e[i])
            total = 0.0
            for k in range(classes):
                total += e[i, k]
        rest[i] = total
        e[i, y[i]] = -total
    value = 0.0
    for i in range(rows):
        value += scale[i] * (log1p(rest[i]) + shift[i])
    result[0] = value
    return 0 if isfinite(value) else 1


@double_kernel
def class_gradient(e: DoubleRows, scale: DoubleFlat, rest: DoubleFlat, dz: Rows) -> None:
    """Compute dz = scale e / (1 + rest), for the e of class_losses."""
    for i in range(e.shape[0]):
        each = scale[i] / (1.0 + rest[i])
        for k in range(e.shape[1]):
            dz[i, k] = each * e[i, k]


@double_kernel
def smooth_classes(
    y: IntFlat, smoothing: DoubleNumber, class_weight: DoubleVector, cq: DoubleRows
) -> int:
    """Compute c q, the class weights times the smoothed distribution; stop for unknown classes."""
    classes = cq.shape[1]
    share = smoothing / classes
    for i in range(y.size):
        if y[i] < 0 or y[i] >= classes:
            return 1
        for k in range(classes):
            q = share + (1.0 - smoothing if k == y[i] else 0.0)
            cq[i, k] = q * class_weight[k] if class_weight.size > 0 else q
    return 0


@double_kernel
def smooth_probabilities(
    q: DoubleRows, smoothing: DoubleNumber, class_weight: DoubleVector, cq: DoubleRows
) -> int:
    """Compute c q as smooth_classes does; stop if a row of q is not a distribution."""
    classes = cq.shape[1]
    share = smoothing / classes
    for i in range(q.shape[0]):
        total = 0.0
        for k in range(classes):
            if not q[i, k] >= 0.0:
                return 1
            total += q[i, k]
            smooth = (1.0 - smoothing) * q[i, k] + share
            cq[i, k] = smooth * class_weight[k] if class_weight.size > 0 else smooth
        if not abs(total - 1.0) < 1e-3:
            return 1
    return 0


@double_kernel
def distribution_losses(
    below: DoubleRows,
    e: DoubleRows,
    cq: DoubleRows,
    scale: DoubleFlat,
    rest: DoubleFlat,
    result: DoubleVector,
) -> int:
    """Compute sum_k c q (log sum(e) - below) of each row, times scale, and add them up.

    `rest` is the sum of e over all but the largest.
    """
    value = 0.0
    for i in range(e.shape[0]):
        total = -1.0
        small = 0.0
        mass = 0.0
        cross = 0.0
        for k in range(e.shape[1]):
            total += e[i, k]
            small += 0.0 if below[i, k] == 0.0 else e[i, k]
            mass += cq[i, k]
            cross += cq[i, k] * below[i, k]
        # Where scores tie for the largest, only one of them is left out.
        rest[i] = small + (total - small if total - small > 0.5 else 0.0)
        value += scale[i] * (mass * log1p(rest[i]) - cross)
    result[0] = value
    return 0 if isfinite(value) else 1


@double_kernel
def distribution_gradient(
    e: DoubleRows, cq: DoubleRows, scale: DoubleFlat, rest: DoubleFlat, dz: Rows
) -> None:
    """Compute dz = scale (a e / sum(e) - c q) with a = sum_k c q, for each row."""
    for i in range(e.shape[0]):
        mass = 0.0
        for k in range(e.shape[1]):
            mass += cq[i, k]
        total = 1.0 + rest[i]
        each = scale[i] / total
        for k in range(e.shape[1]):
            dz[i, k] = each * (mass * e[i, k] - cq[i, k] * total)


@helper
def binary_loss(z: Any, t: Any, c: Any) -> tuple[Any, Any]:
    """Return -c t log s(z) - (1 - t) log(1 - s(z)) with the sigmoid s, and its derivative."""
    t = t if (t >= 0.0) & (t <= 1.0) else NAN
    positive, negative = c * t, 1.0 - t
    e = exp(-abs(z))
    loss = (positive + negative) * log1p_of_fraction(e)
    loss += (positive if z < 0.0 else negative) * abs(z)
    up = e if z < 0.0 else 1.0
    down = 1.0 if z < 0.0 else e
    return loss, (negative * up - positive * down) / (1.0 + e)


sigmoid_losses = elementwise_loss(binary_loss)


@double_kernel
def sigmoid_losses_by_column(
    z: Rows, t: DoubleRows, c: DoubleVector, scale: DoubleFlat, result: DoubleVector, dz: Rows
) -> int:
    """Compute the binary loss of each entry, with a weight c for each column, and its gradient.

    `dz` may have no columns, where only the loss is asked for.
    """
    value = 0.0
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            loss, slope = binary_loss(np.float64(z[i, j]), t[i, j], c[j])
            weight = scale[i * z.shape[1] + j]
            value += weight * loss
            if dz.shape[1] > 0:
                dz[i, j] = weight * slope
    result[0] = value
    return 0 if isfinite(value) else 1
