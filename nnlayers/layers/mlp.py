"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import as_generator, check_instance, check_number, look_up
from nnlayers._core.showing import shown
from nnlayers._core.sizes import check_integers
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
from nnlayers.layers.gated import GELU, Mish, SiLU
from nnlayers.layers.noise import Dropout
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.rectifiers import ELU, SELU, LeakyReLU, PReLU, ReLU
from nnlayers.layers.sequential import Sequential

__all__ = ["ACTIVATIONS", "NORMS", "mlp"]

ACTIVATIONS: dict[str, type[Layer]] = {
    "elu": ELU,
    "gelu": GELU,
    "hard_tanh": HardTanh,
    "identity": Identity,
    "leaky_relu": LeakyReLU,
    "mish": Mish,
    "prelu": PReLU,
    "relu": ReLU,
    "selu": SELU,
    "sigmoid": Sigmoid,
    "silu": SiLU,
    "softplus": Softplus,
    "softsign": Softsign,
    "tanh": Tanh,
}

# Initializers of hidden layers: Glorot's before bounded activations; those that are not here get
# LeCun's.
HIDDEN_INIT: dict[type[Layer], str] = {
    HardTanh: "glorot_uniform",
    Identity: "glorot_uniform",
    Sigmoid: "glorot_uniform",
    Softplus: "he_normal",
    Softsign: "glorot_uniform",
    Tanh: "glorot_uniform",
}

NORMS: dict[str, Callable[[int], Layer]] = {"batch": BatchNorm, "layer": LayerNorm, "rms": RMSNorm}


def mlp(
    sizes: Sequence[int],
    *,
    activation: str | Callable[[], Layer] = "relu",
    dropout: float = 0.0,
    norm: str | Callable[[int], Layer] | None = None,
    dtype: npt.DTypeLike = np.float32,
    rng: int | np.random.Generator | None = None,
) -> Sequential:
    r"""Build a multi-layer perceptron: affine layers with activations between them.

    Biases start at 0. The matrices have mean 0 and this variance:

    ================================================ ===================== =======================
    activation                                       hidden layers         output layer
    ================================================ ===================== =======================
    bounded ones such as Tanh, and Identity          2 / (fan_in+fan_out)  2 / (fan_in + fan_out)
    Softplus                                         2 / fan_in            0.01 / fan_in
    all others, and your own                         1 / fan_in            0.01 / fan_in
    ================================================ ===================== =======================

    They are ``"lecun_normal"``, ``"he_normal"``, ``"glorot_uniform"`` and ``"small_normal"`` of
    :mod:`nnlayers.initializers`, which were compared
    :doc:`on eight data sets </background/benchmarks>`.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of features from the input to the output, at least two.
    activation : str or callable
        The activation after each affine layer but the last: a name, or a function that makes a
        layer, such as its class.
    dropout : float
        The rate of a dropout layer after each activation; at 0 there is none.
    norm : str or callable, optional
        The normalization between an affine layer and its activation: ``"batch"``, ``"layer"``,
        ``"rms"``, or a function that makes a layer from the number of features, such as its class.
    dtype : {float32, float64}
        Of the parameters.
    rng : int or numpy.random.Generator, optional
        Source of all random draws.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or an activation unknown.

    Examples
    --------
    >>> mlp([64, 32, 10], dropout=0.2, rng=0)
    Sequential(
      0: Affine(64, 32, weight_init='lecun_normal')
      1: ReLU()
      2: Dropout(rate=0.2)
      3: Affine(32, 10, weight_init='small_normal')
    )
    """
    if isinstance(norm, str):
        norm = look_up("norm", norm, NORMS)
    widths = check_integers("sizes", sizes, minimum=1)
    if len(widths) < 2:
        raise ValueError(f"sizes must be a list of at least two sizes, got {shown(sizes)}")
    check_number("dropout", dropout, minimum=0, below=1)
    if isinstance(activation, str):
        activation = look_up("activation", activation, ACTIVATIONS)
    if not callable(activation):
        raise TypeError(f"activation must be a name or a function, got {shown(activation)}")
    if not (norm is None or callable(norm)):
        raise TypeError(f"norm must be a name, a function or None, got {shown(norm)}")
    rng = as_generator(rng)
    layers: list[Layer] = []
    output_init = "glorot_uniform"
    for fan_in, fan_out in pairwise(widths[:-1]):
        function = activation()
        check_instance("what activation returns", function, Layer)
        function.astype(dtype)
        hidden_init = HIDDEN_INIT.get(type(function), "lecun_normal")
        # Outputs that start near 0 help only after activations that are not bounded.
        output_init = "glorot_uniform" if hidden_init == "glorot_uniform" else "small_normal"
        layers.append(Affine(fan_in, fan_out, weight_init=hidden_init, dtype=dtype, rng=rng))
        if norm is not None:
            normalization = norm(fan_out)
            check_instance("what norm returns", normalization, Layer)
            layers.append(normalization.astype(dtype))
        layers.append(function)
        if dropout > 0:
            layers.append(Dropout(dropout, rng=rng))
    fan_in, fan_out = widths[-2:]
    layers.append(Affine(fan_in, fan_out, weight_init=output_init, dtype=dtype, rng=rng))
    return Sequential(*layers)
