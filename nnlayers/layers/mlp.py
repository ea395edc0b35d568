"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

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
from nnlayers.layers.noise import Dropout
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.rectifiers import ELU, GELU, SELU, LeakyReLU, Mish, PReLU, ReLU, SiLU
from nnlayers.layers.sequential import Sequential
from nnlayers.validation import check_number, unknown_name

__all__ = ["mlp"]

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
