"""Kernels of functions that act entry by entry, made from the function of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nnlayers.engine.kernel import Flat, Helper, Kernel, Number, Rows, Vector, helper, kernel

__all__ = ["ElementwiseKernels", "elementwise", "scale_gradient"]


class ElementwiseKernels(NamedTuple):
    """The kernels of one function.

    Attributes
    ----------
    forward : Kernel
        y = f(x) and dy/dx, for training.
    forward_of_sum : Kernel
        The same with x + b for x, in place.
    predict : Kernel
        y = f(x) alone.
    """

    forward: Kernel[Any, Any]
    forward_of_sum: Kernel[Any, Any]
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

    def forward_of_sum(y: Rows, b: Vector, slope: Rows, *parameters: Number) -> None:
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                y[i, j], slope[i, j] = f(y[i, j] + b[j], *parameters)

    def predict(x: Flat, y: Flat, *parameters: Number) -> None:
        for i in range(x.size):
            y[i] = f(x[i], *parameters)[0]

    kernels = []
    for function_of_arrays in (forward, forward_of_sum, predict):
        function_of_arrays.__name__ = f"{f.__name__}_{function_of_arrays.__name__}"
        function_of_arrays.__module__ = f.__module__
        kernels.append(kernel(function_of_arrays))
    return ElementwiseKernels(*kernels)


@kernel
def scale_gradient(slope: Flat, d: Flat) -> None:
    """Compute d = d dy/dx."""
    for i in range(d.size):
        d[i] *= slope[i]
