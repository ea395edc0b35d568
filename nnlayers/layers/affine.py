"""Affine (fully connected, dense, linear) layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers import initializers
from nnlayers._core.arrays import Array, as_floats, ones, product, product_by_parts
from nnlayers._core.checks import as_generator, check_boolean, check_integer
from nnlayers._core.formula import Formula
from nnlayers._core.sizes import fits_memory
from nnlayers.layer import Layer, Parameter

__all__ = ["Affine", "check_affine"]


class Affine(Layer, guarded=False):
    r"""Affine layer: multiply by a weight matrix and add a bias.

    .. math::

        y = x W + b, \qquad
        \frac{\partial\ell}{\partial x} = \frac{\partial\ell}{\partial y} W^T, \qquad
        \frac{\partial\ell}{\partial W} = x^T \frac{\partial\ell}{\partial y}, \qquad
        \frac{\partial\ell}{\partial b} = \sum_\text{rows} \frac{\partial\ell}{\partial y}

    Parameters
    ----------
    in_features, out_features : int
        Number of columns of x and of y, at least 1.
    bias : bool
        Whether to add b.
    weight_init, bias_init : str or callable
        How W and b are drawn, see :mod:`nnlayers.initializers`. The default suits a hidden layer
        before a ReLU; a network's last layer does better with ``"small_normal"``, see
        :doc:`the benchmarks </background/benchmarks>`.
    dtype : {float32, float64}
        Of the parameters; inputs are converted to it.
    rng : int or numpy.random.Generator, optional
        Source of the random draws.

    Attributes
    ----------
    W : Parameter
        The weights, of shape ``(in_features, out_features)``.
    b : Parameter or None
        The bias, of shape ``(out_features,)``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, or an input does not have shape
        ``(..., in_features)``.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating
    errors", Nature 323, 1986.

    Examples
    --------
    >>> layer = Affine(2, 1, weight_init="ones")
    >>> layer.forward([[1, 2], [3, 4]])
    array([[3.],
           [7.]], dtype=float32)
    >>> layer.backward([[1], [10]])
    array([[ 1.,  1.],
           [10., 10.]], dtype=float32)
    >>> layer.W.grad
    array([[31.],
           [42.]], dtype=float32)
    """

    formula = Formula(
        "x @ W + b",
        "W.T",
        sent=("g @ W.T",),
        product="@",
        parameters={"W": "x.T @ g", "b": "sum(g)"},
        note="the sum goes over the rows",
    )

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        weight_init: initializers.Initializer | str = "he_normal",
        bias_init: initializers.Initializer | str = "zeros",
        dtype: npt.DTypeLike = np.float32,
        rng: int | np.random.Generator | None = None,
    ) -> None:
        fans = check_affine(in_features, out_features, weight_init=weight_init, bias_init=bias_init)
        self.in_features, self.out_features = fans
        self.bias = check_boolean("bias", bias)
        self.weight_init, self.bias_init = weight_init, bias_init
        rng = as_generator(rng)
        draw_weights = partial(initializers.draw, weight_init, fans, *fans)
        draw_bias = partial(initializers.draw, bias_init, fans[1:], *fans)
        with fits_memory(in_features=fans[0], out_features=fans[1]):
            self.W = Parameter.from_draws(draw_weights, rng, dtype, name="W")
            self.b = Parameter.from_draws(draw_bias, rng, dtype, name="b") if self.bias else None

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x, self.W.dtype)
        y = self._output(x)
        self._cache = y.shape, y.dtype, x
        return y

    def predict(self, x: npt.ArrayLike) -> Array:
        return self._output(as_floats(x, self.W.dtype), product_by_parts)

    def backward(self, dout: npt.ArrayLike, input_grad: bool = True) -> Any:
        dy, x = self._backward_inputs(dout)
        shape = x.shape
        if len(shape) != 2:
            x, dy = _rows(x), _rows(dy)
        self.W.add_product(x.T, dy)
        if self.b is not None:
            self.b.add_product(ones(len(dy), dy.dtype), dy)
        if not input_grad:
            return None
        dx = product(dy, self.W.value.T)
        return dx if len(shape) == 2 else dx.reshape(shape)

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        formula = super().formula_for(*shapes)
        return _WITHOUT_BIAS if formula and self.b is None else formula

    def _output(self, x: Array, multiply: Callable[[Array, Array], Array] = product) -> Array:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"{self!r} expected x of shape (..., {self.in_features}), got {x.shape}"
            )
        y = multiply(x if x.ndim == 2 else _rows(x), self.W.value)
        if self.b is not None:
            y += self.b.value
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], self.out_features)


def check_affine(
    in_features: int, out_features: int, **inits: initializers.Initializer | str
) -> tuple[int, int]:
    """Return the numbers of columns of x and y as integers; check what draws the parameters."""
    fans = (
        check_integer("in_features", in_features, minimum=1),
        check_integer("out_features", out_features, minimum=1),
    )
    for name, init in inits.items():
        initializers.get(init, name)
    return fans


_WITHOUT_BIAS = Formula("x @ W", "W.T", sent=("g @ W.T",), product="@", parameters={"W": "x.T @ g"})


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])
