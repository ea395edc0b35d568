"""Smooth rectifiers x g(x) with a gate g: GELU, SiLU and Mish."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import ndtr

from nnlayers._core.checks import check_choice
from nnlayers._core.formula import Formula
from nnlayers.layers.operation import Elementwise

__all__ = ["GELU", "Mish", "SiLU"]

# GELU's tanh approximation is a gate 1 / (1 + exp(-2u)) with 2u = _TWICE_U (x + _CUBIC x^3).
_TWICE_U = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715
_GATE = f"sigma({_TWICE_U} * (x + {_CUBIC} * x**3))"
_TANH_GELU = Formula(
    f"x * {_GATE}",
    f"{_GATE} + x * {_GATE} * (1 - {_GATE}) * {_TWICE_U} * (1 + {3 * _CUBIC} * x**2)",
    note="σ(x) = 1 / (1 + exp(−x))",
)


class Gated(Elementwise):
    r"""Base of the rectifiers :math:`y = x g(x)` with a gate g that opens from 0 to 1.

    .. math:: \frac{dy}{dx} = g(x) + x g'(x)

    Gates are computed in float64: in float32 they underflow where the product does not, and the
    rounding of an exponent such as :math:`x^2 / 2` costs up to 100 units in the last place.
    """

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        # Beyond these limits the gate is 0 or 1, and the product must be 0 for -infinity too.
        t = x.clip(-1000.0, 40.0)
        g, saved = self.gate(t)
        y = x.clip(-1000.0) * g
        return y.astype(x.dtype, copy=False), (t, g, saved)

    def derivative(self, saved: Any) -> Any:
        t, g, saved = saved
        derivative = self.slope(t, g, saved)
        derivative *= t
        derivative += g
        return derivative.astype(t.dtype, copy=False)

    @abstractmethod
    def gate(self, x: Any) -> tuple[Any, Any]:
        """Return g(x), and what :meth:`slope` needs beside it."""

    @abstractmethod
    def slope(self, x: Any, g: Any, saved: Any) -> Any:
        """Return g'(x), a new array."""


class GELU(Gated):
    r"""Gaussian error linear unit: x times the probability that a normal draw is below x.

    .. math::

        y = x \Phi(x), \qquad \frac{dy}{dx} = \Phi(x) + x \varphi(x), \qquad
        \varphi(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}}

    or its approximation by the hyperbolic tangent, which is off by up to 5e-4 and takes a third
    of the time:

    .. math::

        y = \frac{x}{2} (1 + \tanh u) = \frac{x}{1 + e^{-2u}}, \qquad
        u = \sqrt{2 / \pi}\, (x + 0.044715\, x^3)

    Parameters
    ----------
    approximate : {"none", "tanh"}
        The exact function, or the approximation.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> gelu = GELU()
    >>> gelu.forward([-1.0, 0.0, 2.0]).round(4)
    array([-0.1587,  0.    ,  1.9545])
    >>> gelu.backward([1.0, 1.0, 1.0]).round(4)
    array([-0.0833,  0.5   ,  1.0852])
    """

    formula = Formula(
        "x * Phi(x)",
        "Phi(x) + x * phi(x)",
        note="Φ is the normal distribution, φ its density",
    )

    def __init__(self, approximate: str = "none") -> None:
        check_choice("approximate", approximate, ("none", "tanh"))
        self.approximate = approximate

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        formula = super().formula_for(*shapes)
        is_approximate = self.approximate != "none" and formula is self.formula
        return _TANH_GELU if is_approximate else formula

    def gate(self, x: Any) -> tuple[Any, Any]:
        if self.approximate == "none":
            # ndtr takes 300 of the layer's 330 µs for 128 by 128 entries. A polynomial in float32
            # would take a third of that, and be off by 6 units in the last place.
            return ndtr(x, dtype=np.float64), None
        square = np.square(x, dtype=np.float64)
        n = np.exp(np.minimum(_TWICE_U * (1 + _CUBIC * square) * x, 40))
        n /= 1 + n
        return n, square

    def slope(self, x: Any, g: Any, saved: Any) -> Any:
        if self.approximate == "none":
            return np.exp(-0.5 * np.square(x, dtype=np.float64)) / math.sqrt(2 * math.pi)
        return _TWICE_U * (1 + 3 * _CUBIC * saved) * g * (1 - g)


class SiLU(Gated):
    r"""Sigmoid linear unit, also called swish.

    .. math::

        y = x \sigma(x) = \frac{x}{1 + e^{-x}}, \qquad
        \frac{dy}{dx} = \sigma(x) + x\, \sigma(x) (1 - \sigma(x))

    References
    ----------
    S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    Examples
    --------
    >>> silu = SiLU()
    >>> silu.forward([-1.0, 0.0, 2.0]).round(4)
    array([-0.2689,  0.    ,  1.7616])
    >>> silu.backward([1.0, 1.0, 1.0]).round(4)
    array([0.0723, 0.5   , 1.0908])
    """

    formula = Formula(
        "x * sigma(x)",
        "sigma(x) + x * sigma(x) * (1 - sigma(x))",
        note="σ(x) = 1 / (1 + exp(−x))",
    )

    def gate(self, x: Any) -> tuple[Any, Any]:
        n = np.exp(x, dtype=np.float64)
        n /= 1 + n
        return n, None

    def slope(self, x: Any, g: Any, saved: None) -> Any:
        return g * (1 - g)


class Mish(Gated):
    r"""Mish activation: x times the hyperbolic tangent of its softplus.

    .. math::

        y = x \tanh(\log(1 + e^x)) = x \frac{n (n + 2)}{n (n + 2) + 2}, \\
        \frac{dy}{dx} = \frac{y}{x} + \frac{4 x n (n + 1)}{(n (n + 2) + 2)^2}, \qquad n = e^x

    References
    ----------
    D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.

    Examples
    --------
    >>> mish = Mish()
    >>> mish.forward([-1.0, 0.0, 2.0]).round(4)
    array([-0.3034,  0.    ,  1.944 ])
    >>> mish.backward([1.0, 1.0, 1.0]).round(4)
    array([0.0592, 0.6   , 1.0693])
    """

    formula = Formula(
        "x * tanh(softplus(x))",
        "tanh(softplus(x)) + x * sigma(x) * (1 - tanh(softplus(x))**2)",
        note="softplus(x) = log(1 + exp(x)), σ its derivative",
    )

    def gate(self, x: Any) -> tuple[Any, Any]:
        n = np.exp(x, dtype=np.float64)
        p = n * (n + 2)
        return p / (p + 2), (n, p)

    def slope(self, x: Any, g: Any, saved: tuple[Any, Any]) -> Any:
        n, p = saved
        return 4 * n * (n + 1) / np.square(p + 2)
