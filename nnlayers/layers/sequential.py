"""Layers in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.layers.activations import (
    HardTanh,
    Identity,
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
)
from nnlayers.layers.affine import Affine
from nnlayers.layers.drawable import Drawable
from nnlayers.layers.noise import Dropout
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.rectifiers import ELU, GELU, SELU, LeakyReLU, Mish, PReLU, ReLU, SiLU
from nnlayers.numerics import as_floats
from nnlayers.validation import check_number, unknown_name

__all__ = ["Sequential", "mlp"]


class Sequential(Drawable):
    r"""Apply layers one after another; the gradient goes back through them in reverse.

    .. math:: y = f_n(\dots f_2(f_1(x)))

    ``model[0]`` is a layer, ``model[1:]`` a Sequential that shares its layers; ``len`` and
    iteration work as for a list.

    Parameters
    ----------
    *layers : Layer
        In the order of the forward pass; all different objects, for each keeps what its backward
        pass needs.

    Raises
    ------
    TypeError
        If one is no layer.
    ValueError
        If one object occurs twice.

    Examples
    --------
    >>> model = Sequential(Affine(2, 3, rng=0), ReLU(), Affine(3, 1, rng=1))
    >>> model.forward([[1.0, 2.0]]).shape
    (1, 1)
    >>> model.backward([[1.0]]).shape
    (1, 2)
    >>> list(model.named_parameters())
    ['0.W', '0.b', '2.W', '2.b']
    >>> model
    Sequential(
      0: Affine(2, 3)
      1: ReLU()
      2: Affine(3, 1)
    )
    """

    def __init__(self, *layers: Layer) -> None:
        for index, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layer {index} must be a Layer object, got {layer!r}")
        self.layers = layers
        seen: dict[int, str] = {}
        for index, layer in enumerate(layers):
            for name, inner in layer.layers_by_name().items():
                place = f"{index}.{name}".rstrip(".")
                if id(inner) in seen:
                    raise ValueError(
                        f"layers {seen[id(inner)]} and {place} are one object, {inner!r}: "
                        "each place needs a layer of its own"
                    )
                seen[id(inner)] = place

    def forward(self, x: npt.ArrayLike) -> Any:
        if not self.layers:
            y = as_floats(x).copy()
            self._cache = y.shape, y.dtype
            return y
        for layer in self.layers:
            x = layer.forward(x)
        self._cache = True
        return x

    def predict(self, x: npt.ArrayLike) -> Any:
        if not self.layers:
            return as_floats(x).copy()
        for layer in self.layers:
            x = layer.predict(x)
        return x

    def backward(self, dout: npt.ArrayLike, input_grad: bool = True) -> Any:
        """Return d loss / d x, and add to the gradient of each parameter.

        Parameters
        ----------
        dout : array_like of real numbers
            d loss / d y.
        input_grad : bool
            False leaves out d loss / d x, a matrix product that training never needs, and
            returns None.
        """
        if not input_grad:
            Sequential.backward_parameters(self, dout)  # which in a subclass may come back here
            return None
        cache = self._cached()
        if not self.layers:
            return self._incoming(dout, *cache).copy()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

    def backward_parameters(self, dout: npt.ArrayLike) -> None:
        self._cached()
        first = self._first_trained
        if first is not None:
            for layer in self.layers[:first:-1]:
                dout = layer.backward(dout)
            self.layers[first].backward_parameters(dout)

    @cached_property
    def _first_trained(self) -> int | None:
        """The layer at which a backward pass for the parameters alone ends."""
        return next((i for i, layer in enumerate(self.layers) if layer.parameters()), None)

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """Return a table of the layers and their numbers of parameters.

        Parameters
        ----------
        input_shape : sequence of int, optional
            The shape of one row; with it, each layer's output shape is shown.

        Examples
        --------
        >>> print(Sequential(Affine(64, 10), ReLU()).summary(input_shape=(64,)))
           layer           output  parameters
        0  Affine(64, 10)  (10,)          650
        1  ReLU()          (10,)            0
           total                          650
        """
        x: Any = None if input_shape is None else np.empty((0, *input_shape), np.float32)
        rows = [("", "layer", "output", "parameters")]
        for index, layer in enumerate(self.layers):
            x = None if input_shape is None else layer.predict(x)
            size = sum(parameter.size for parameter in layer.parameters())
            description = " ".join(repr(layer).split())
            rows.append((str(index), description, str(np.shape(x)[1:]), f"{size:,}"))
        total = sum(parameter.size for parameter in self.parameters())
        rows.append(("", "total", "", f"{total:,}"))
        index_width, layer_width, output_width, size_width = (
            max(map(len, column)) for column in zip(*rows, strict=True)
        )
        lines = []
        for number, description, output, size_text in rows:
            shape = "" if input_shape is None else f"{output:<{output_width}}  "
            lines.append(
                f"{number:<{index_width}}  {description:<{layer_width}}  {shape}"
                f"{size_text:>{size_width}}"
            )
        return "\n".join(lines)

    def _members(self) -> Iterator[tuple[str, Any]]:
        yield from ((str(index), layer) for index, layer in enumerate(self.layers))
        yield from super()._members()  # a subclass may hold more

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Layer:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __repr__(self) -> str:
        lines = [f"{index}: {layer!r}".replace("\n", "\n  ") for index, layer in enumerate(self)]
        inner = "".join(f"\n  {line}" for line in lines)
        return f"{type(self).__name__}({inner}" + ("\n)" if lines else ")")


# A name, the layer, and the initial weights that keep the scale of what passes through it.
_ACTIVATIONS: dict[str, tuple[Callable[[], Layer], str]] = {
    "elu": (ELU, "he_normal"),
    "gelu": (GELU, "he_normal"),
    "hard_tanh": (HardTanh, "glorot_uniform"),
    "identity": (Identity, "glorot_uniform"),
    "leaky_relu": (LeakyReLU, "he_normal"),
    "mish": (Mish, "he_normal"),
    "prelu": (PReLU, "he_normal"),
    "relu": (ReLU, "he_normal"),
    "selu": (SELU, "lecun_normal"),
    "sigmoid": (Sigmoid, "glorot_uniform"),
    "silu": (SiLU, "he_normal"),
    "softplus": (Softplus, "he_normal"),
    "softsign": (Softsign, "glorot_uniform"),
    "tanh": (Tanh, "glorot_uniform"),
}

_NORMS: dict[str, Callable[[int], Layer]] = {"batch": BatchNorm, "layer": LayerNorm, "rms": RMSNorm}


def mlp(
    sizes: Sequence[int],
    *,
    activation: str | Callable[[], Layer] = "relu",
    dropout: float = 0.0,
    norm: str | Callable[[int], Layer] | None = None,
    dtype: npt.DTypeLike = np.float32,
    rng: int | np.random.Generator | None = None,
) -> Sequential:
    """Build a multi-layer perceptron: affine layers with activations between them.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of features from the input to the output, at least two.
    activation : str or callable
        What follows each affine layer but the last: a name, or a function that makes a layer, such
        as its class.
    dropout : float
        The rate of a dropout layer after each activation; at 0 there is none.
    norm : str or callable, optional
        What stands between an affine layer and its activation: ``"batch"``, ``"layer"``, ``"rms"``,
        or a function that makes a layer from the number of features, such as its class.
    dtype : {float32, float64}
        Of the parameters.
    rng : int or numpy.random.Generator, optional
        Where all draws come from.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or an activation unknown.

    Examples
    --------
    >>> mlp([64, 32, 10], dropout=0.2, rng=0)
    Sequential(
      0: Affine(64, 32)
      1: ReLU()
      2: Dropout(rate=0.2)
      3: Affine(32, 10)
    )
    """
    if isinstance(norm, str):
        if norm not in _NORMS:
            raise ValueError(unknown_name("norm", norm, _NORMS))
        norm = _NORMS[norm]
    if not isinstance(sizes, Sequence) or len(sizes) < 2:
        raise ValueError(f"sizes must be a list of at least two sizes, got {sizes!r}")
    check_number("dropout", dropout, minimum=0, below=1)
    weight_init = "he_normal"
    if isinstance(activation, str):
        if activation not in _ACTIVATIONS:
            raise ValueError(unknown_name("activation", activation, _ACTIVATIONS))
        activation, weight_init = _ACTIVATIONS[activation]
    rng = np.random.default_rng(rng)
    layers: list[Layer] = []
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        if index > 0:
            if norm is not None:
                layers.append(norm(fan_in).astype(dtype))
            layers.append(activation().astype(dtype))
            if dropout > 0:
                layers.append(Dropout(dropout, rng=rng))
        layers.append(Affine(fan_in, fan_out, weight_init=weight_init, dtype=dtype, rng=rng))
    return Sequential(*layers)
