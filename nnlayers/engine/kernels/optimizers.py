"""Kernels of the optimizers: the update of weights that move alike, in one pass over memory.

Each takes the weights p, their gradient g, the optimizer's state, and `step`, the numbers that
depend on the learning rate and the number of the step. `decay` is the factor of weight decay that
is part of the gradient, and 0 without it. `rest` is 1 minus the factor before it, which would lose
digits if it were computed in float32.
"""

from __future__ import annotations

import math

from nnlayers.engine.functions import INFINITY, NAN
from nnlayers.engine.kernel import (
    DoubleNumber,
    DoubleVector,
    IntVector,
    Number,
    Vector,
    double_kernel,
    kernel,
)
from nnlayers.engine.primitives import quotient, sqrt

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "add_squares",
    "check_finite",
    "check_weights",
    "clip",
    "clip_entries",
    "drop_subnormals",
    "lion",
    "nadam",
    "rmsprop",
    "scale_gradient",
    "sgd",
    "sgd_momentum",
]


@kernel
def sgd(p: Vector, g: Vector, step: Vector, decay: Number) -> None:
    """Compute p = p - rate g."""
    rate = step[0]
    for i in range(p.size):
        p[i] -= rate * (g[i] + decay * p[i])


@kernel
def sgd_momentum(
    p: Vector,
    g: Vector,
    u: Vector,
    step: Vector,
    decay: Number,
    mu: Number,
    share: Number,
    ahead: Number,
) -> None:
    """Compute u = mu u + g and p = p - rate (share g + ahead u).

    The share of g is 0 and `ahead` is 1, or 1 and mu for Nesterov's variant.
    """
    rate = step[0]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        u[i] = mu * u[i] + gradient
        p[i] -= rate * (share * gradient + ahead * u[i])


@kernel
def adam(
    p: Vector,
    g: Vector,
    m: Vector,
    v: Vector,
    step: Vector,
    decay: Number,
    beta1: Number,
    beta2: Number,
) -> None:
    """Compute m = beta1 m + g, v = beta2 v + g^2 and p = shrink p - rate m / (sqrt(v) + eps).

    The factors 1 - beta and the corrections of Adam are contained in the rate and in eps; AdamW
    shrinks the weights.
    """
    rate, eps, shrink = step[0], step[1], step[2]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + gradient
        v[i] = beta2 * v[i] + gradient * gradient
        p[i] = shrink * p[i] - rate * quotient(m[i], sqrt(v[i]) + eps)


@kernel
def nadam(
    p: Vector,
    g: Vector,
    m: Vector,
    v: Vector,
    step: Vector,
    decay: Number,
    beta1: Number,
    beta2: Number,
    rest1: Number,
    rest2: Number,
) -> None:
    """Compute m and v, the averages of g and g^2, and p = p - (a g + b m) / (c sqrt(v) + eps)."""
    a, b, c, eps = step[0], step[1], step[2], step[3]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + rest1 * gradient
        v[i] = beta2 * v[i] + rest2 * gradient * gradient
        p[i] -= quotient(a * gradient + b * m[i], c * sqrt(v[i]) + eps)


@kernel
def adagrad(p: Vector, g: Vector, s: Vector, step: Vector, decay: Number, eps: Number) -> None:
    """Compute s = s + g^2 and p = p - rate g / (sqrt(s) + eps)."""
    rate = step[0]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        s[i] += gradient * gradient
        p[i] -= rate * quotient(gradient, sqrt(s[i]) + eps)


@kernel
def rmsprop(
    p: Vector,
    g: Vector,
    v: Vector,
    a: Vector,
    u: Vector,
    step: Vector,
    decay: Number,
    alpha: Number,
    rest: Number,
    eps: Number,
    mu: Number,
) -> None:
    """Compute v = alpha v + (1 - alpha) g^2, u = mu u + g / (sqrt(v - a^2) + eps), p = p - rate u.

    The average a of the gradient is empty unless the optimizer is centred, and u without momentum.
    """
    rate = step[0]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        v[i] = alpha * v[i] + rest * gradient * gradient
        spread = v[i]
        if a.size:
            a[i] = alpha * a[i] + rest * gradient
            square = a[i] * a[i]
            # For a constant gradient the difference may round below 0. A fused product would not
            # overflow, and hide that the training diverges.
            spread = max(spread - square, 0.0) if square < INFINITY else NAN
        move = quotient(gradient, sqrt(spread) + eps)
        if u.size:
            u[i] = mu * u[i] + move
            move = u[i]
        p[i] -= rate * move


@kernel
def adadelta(
    p: Vector,
    g: Vector,
    v: Vector,
    u: Vector,
    step: Vector,
    decay: Number,
    rho: Number,
    rest: Number,
    eps: Number,
) -> None:
    """Compute v and u, the averages of g^2 and d^2, with d = sqrt((u + eps) / (v + eps)) g.

    The weights are p - rate d.
    """
    rate = step[0]
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        v[i] = rho * v[i] + rest * gradient * gradient
        delta = quotient(sqrt(u[i] + eps), sqrt(v[i] + eps)) * gradient
        u[i] = rho * u[i] + rest * delta * delta
        p[i] -= rate * delta


@kernel
def lion(
    p: Vector,
    g: Vector,
    m: Vector,
    step: Vector,
    beta1: Number,
    beta2: Number,
    rest1: Number,
    rest2: Number,
) -> None:
    """Compute p = shrink p - rate sign(beta1 m + (1 - beta1) g) and m = beta2 m + (1 - beta2) g."""
    rate, shrink = step[0], step[1]
    for i in range(p.size):
        direction = beta1 * m[i] + rest1 * g[i]
        sign = 1.0 if direction > 0.0 else -1.0 if direction < 0.0 else 0.0
        p[i] = shrink * p[i] - rate * sign
        m[i] = beta2 * m[i] + rest2 * g[i]


@kernel
def drop_subnormals(step: Vector, *states: Vector) -> None:
    """Compute 0 for entries of the state below the last number of `step`, 0 in most steps."""
    smallest = step[step.size - 1]
    if smallest > 0.0:
        for state in states:
            for i in range(state.size):
                if abs(state[i]) < smallest:
                    state[i] = 0.0


@kernel
def check_finite(g: Vector) -> int:
    """Compute whether an entry of g is NaN or infinite, which stops the step."""
    total = 0.0
    for i in range(g.size):
        total += 0.0 * g[i]
    return 0 if total == 0.0 else 1


@kernel
def check_weights(p: Vector, begins_epoch: IntVector) -> int:
    """Compute whether an entry of p is NaN or infinite, which stops a step that begins an epoch."""
    total = 0.0
    if begins_epoch[0] != 0:
        for i in range(p.size):
            total += 0.0 * p[i]
    return 0 if total == 0.0 else 1


@double_kernel
def add_squares(g: Vector, norms: DoubleVector) -> None:
    """Compute the sum of the squares of g, and add it to the first of `norms`."""
    total = 0.0
    for i in range(g.size):
        entry = float(g[i])
        total += entry * entry
    norms[0] += total


@double_kernel
def clip(norms: DoubleVector, max_norm: DoubleNumber, scale: Vector) -> int:
    """Compute the factor by which the gradient is scaled, min(1, max_norm / (norm + 1e-6))."""
    norm = sqrt(norms[0])
    norms[0] = 0.0
    if not norm < math.inf:
        return 1
    scale[0] = min(1.0, max_norm / (norm + 1e-6))
    return 0


@kernel
def scale_gradient(g: Vector, scale: Vector) -> None:
    """Compute g = scale g, unless the scale is 1."""
    factor = scale[0]
    if factor < 1.0:
        for i in range(g.size):
            g[i] *= factor


@kernel
def clip_entries(g: Vector, bound: Number) -> None:
    """Compute g = min(max(g, -bound), bound)."""
    for i in range(g.size):
        g[i] = min(max(g[i], -bound), bound)
