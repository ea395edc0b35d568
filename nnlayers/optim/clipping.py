"""Gradient clipping, by norm and by value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers._core.checks import check_number
from nnlayers.layer import Parameter
from nnlayers.optim.base import unique_parameters

__all__ = ["GradientBounds", "clip_grad_norm", "clip_grad_value"]


def clip_grad_norm(params: Iterable[Parameter], max_norm: float) -> float:
    r"""Scale all gradients down together, in place, so that their norm is at most `max_norm`.

    .. math:: g \leftarrow g \cdot \min\Big(1, \frac{c}{\lVert g \rVert_2 + 10^{-6}}\Big)

    Parameters
    ----------
    params : iterable of Parameter
        The parameters whose gradients to scale; the norm is that of all their entries together.
    max_norm : float
        The bound c, at least 0.

    Returns
    -------
    float
        The norm before scaling. If it is NaN or infinite, the gradients do not change.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks",
    ICML 2013; the constant is that of PyTorch's ``clip_grad_norm_``.

    Examples
    --------
    >>> W = Parameter([0.0, 0.0])
    >>> W.grad += [3.0, 4.0]
    >>> clip_grad_norm([W], max_norm=1.0)
    5.0
    >>> W.grad.round(5)
    array([0.6, 0.8])
    """
    max_norm = check_number("max_norm", max_norm, minimum=0)
    grads = [parameter.grad for parameter in unique_parameters(params)]
    norm = math.hypot(*map(_norm, grads))
    scale = max_norm / (norm + 1e-6)
    if scale < 1 and math.isfinite(norm):
        for grad in grads:
            grad *= scale
    return norm


def clip_grad_value(params: Iterable[Parameter], clip_value: float) -> None:
    """Clip every entry of the gradients, in place, to ``-clip_value`` and ``clip_value``.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters whose gradients to clip.
    clip_value : float
        The bound, at least 0.

    Examples
    --------
    >>> W = Parameter([0.0, 0.0])
    >>> W.grad += [3.0, -0.5]
    >>> clip_grad_value([W], 1.0)
    >>> W.grad
    array([ 1. , -0.5])
    """
    clip_value = check_number("clip_value", clip_value, minimum=0)
    for parameter in unique_parameters(params):
        np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)


class GradientBounds(NamedTuple):
    """Bounds of a gradient, of which at most one is given.

    Attributes
    ----------
    norm : float or None
        The largest norm.
    value : float or None
        The largest absolute value of an entry.
    """

    norm: float | None = None
    value: float | None = None

    @classmethod
    def checked(cls, clip_norm: float | None, clip_value: float | None) -> GradientBounds:
        """Check the arguments of these names, and return the bounds that they give.

        Raises
        ------
        TypeError, ValueError
            If one is not a finite number above 0, or both are given.
        """
        if clip_norm is not None:
            clip_norm = check_number("clip_norm", clip_norm, above=0)
        if clip_value is not None:
            clip_value = check_number("clip_value", clip_value, above=0)
            if clip_norm is not None:
                raise ValueError(f"clip_value must be None beside clip_norm, got {clip_value:g}")
        return cls(clip_norm, clip_value)

    def clip(self, params: Iterable[Parameter]) -> bool:
        """Clip the gradients, in place, if all are finite; return whether they are."""
        params = [parameter for parameter in params if parameter.trainable]
        if not params or self == (None, None):
            return True
        if self.norm is not None:
            return math.isfinite(clip_grad_norm(params, self.norm))
        assert self.value is not None
        if not all(np.isfinite(parameter.grad).all() for parameter in params):
            return False
        clip_grad_value(params, self.value)
        return True


def _norm(grad: Array) -> float:
    # In float64 the square of a float32 neither overflows nor underflows.
    flat = grad.astype(FLOAT64).ravel()
    with np.errstate(over="ignore"):
        return math.sqrt(np.dot(flat, flat))
