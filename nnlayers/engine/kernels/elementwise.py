"""Kernels of functions that act entry by entry, made from the function of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nnlayers.engine.kernel import Flat, Helper, Kernel, Number, helper, kernel

__all__ = ["ElementwiseKernels", "elementwise", "scale_gradient"]


class ElementwiseKernels(NamedTuple):
    """The kernels of one function: with its derivative for training, and without."""

    forward: Kernel[Any, Any]
    predict: Kernel[Any, Any]


def elementwise(function: Callable[..., tuple[Any, Any]]) -> ElementwiseKernels:
    """Return the kernels of y = f(x) from a function of x and of parameters.

    It returns y and dy/dx. The forward pass stores the derivative, so that the backward pass is one
    product; both need the same exponential.
    """
    f = function if isinstance(function, Helper) else helper(function)

    def forward(x: Flat, y: Flat, slope: Flat, *parameters: Number) -> None:
        for i in range(x.size):
            y[i], slope[i] = f(x[i], *parameters)

    def predict(x: Flat, y: Flat, *parameters: Number) -> None:
        for i in range(x.size):
            y[i] = f(x[i], *parameters)[0]

    for passing in (forward, predict):
        passing.__name__ = f"{f.__name__}_{passing.__name__}"
        passing.__module__ = f.__module__
    return ElementwiseKernels(kernel(forward), kernel(predict))


@kernel
def scale_gradient(slope: Flat, d: Flat) -> None:
    """Compute d = d dy/dx."""
    for i in range(d.size):
        d[i] *= slope[i]
