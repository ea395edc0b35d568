"""Kernels of the rectifiers x g(x) with a gate g: GELU, SiLU and Mish.

The derivative is g(x) + x g'(x).
"""

from __future__ import annotations

import math
from typing import Any

from nnlayers.engine.functions import exp, normal_cdf_and_pdf
from nnlayers.engine.kernel import helper
from nnlayers.engine.kernels.elementwise import elementwise

__all__ = ["gelu", "gelu_tanh", "mish", "silu"]

TWICE_U = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715


@helper
def bounded(x: Any) -> Any:
    """Return x from -1000 to 40, where the gate has closed, so that x g(x) is never inf times 0."""
    t = -1000.0 if x < -1000.0 else x
    return 40.0 if t > 40.0 else t


@helper
def gated(x: Any, t: Any, gate: Any, slope: Any) -> tuple[Any, Any]:
    """Return x g(x) and its derivative, from g and g' at the bounded x."""
    return (x if x > t else t) * gate, gate + t * slope


@elementwise
def gelu(x: Any) -> tuple[Any, Any]:
    """Compute y = x Phi(x) and dy/dx = Phi(x) + x phi(x)."""
    t = bounded(x)
    gate, slope = normal_cdf_and_pdf(t)
    return gated(x, t, gate, slope)


@elementwise
def gelu_tanh(x: Any) -> tuple[Any, Any]:
    """Compute y = x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3), and dy/dx."""
    t = bounded(x)
    twice_u = TWICE_U * (1.0 + CUBIC * t * t) * t
    e = exp(-abs(twice_u))
    inverse = 1.0 / (1.0 + e)
    gate = (1.0 if t > 0.0 else e) * inverse
    return gated(x, t, gate, TWICE_U * (1.0 + 3.0 * CUBIC * t * t) * e * inverse * inverse)


@elementwise
def silu(x: Any) -> tuple[Any, Any]:
    """Compute y = x s(x) and dy/dx = s(x) + x s(x) (1 - s(x)) with the sigmoid s."""
    t = bounded(x)
    e = exp(-abs(t))
    inverse = 1.0 / (1.0 + e)
    return gated(x, t, (1.0 if t > 0.0 else e) * inverse, e * inverse * inverse)


@elementwise
def mish(x: Any) -> tuple[Any, Any]:
    """Compute y = x p / (p + 2) and dy/dx with p = n (n + 2) and n = e^x."""
    t = bounded(x)
    # Above 20 the gate is 1 to the last digit, and p^2 would overflow in float32.
    n = exp(20.0 if t > 20.0 else t)
    p = n * (n + 2.0)
    inverse = 1.0 / (p + 2.0)
    return gated(x, t, p * inverse, 4.0 * n * (n + 1.0) * inverse * inverse)
