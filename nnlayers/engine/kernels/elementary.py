"""Kernels of elementary functions that are layers."""

from __future__ import annotations

from typing import Any

from nnlayers.engine import functions
from nnlayers.engine.kernels.elementwise import elementwise
from nnlayers.engine.primitives import sqrt as square_root

__all__ = ["exp", "log", "negative", "reciprocal", "sqrt", "square"]

natural_exp = functions.exp
natural_log = functions.log


@elementwise
def exp(x: Any) -> tuple[Any, Any]:
    """Compute y = e^x = dy/dx."""
    y = natural_exp(x)
    return y, y


@elementwise
def log(x: Any) -> tuple[Any, Any]:
    """Compute y = log x and dy/dx = 1 / x."""
    return natural_log(x), 1.0 / x


@elementwise
def negative(x: Any) -> tuple[Any, Any]:
    """Compute y = -x; dy/dx is -1."""
    return -x, -1.0


@elementwise
def reciprocal(x: Any) -> tuple[Any, Any]:
    """Compute y = 1 / x and dy/dx = -1 / x^2."""
    y = 1.0 / x
    return y, -y * y


@elementwise
def square(x: Any) -> tuple[Any, Any]:
    """Compute y = x^2 and dy/dx = 2 x."""
    return x * x, 2.0 * x


@elementwise
def sqrt(x: Any) -> tuple[Any, Any]:
    """Compute y = sqrt x and dy/dx = 1 / (2 sqrt x)."""
    y = square_root(x)
    return y, 0.5 / y
