"""One entry for each layer, for the tests of what every layer promises."""

from collections.abc import Callable
from typing import NamedTuple

import nnlayers as nn


class Entry(NamedTuple):
    """How to make a layer, and the shapes of inputs that it takes; the first axis is the batch."""

    make: Callable[[], nn.Layer]
    shapes: tuple[tuple[int, ...], ...]


ENTRIES = {
    "Affine": Entry(lambda: nn.Affine(4, 3, bias_init="normal", rng=0), ((5, 4),)),
    "Affine without bias": Entry(lambda: nn.Affine(4, 3, bias=False, rng=0), ((5, 4),)),
    "Affine of three axes": Entry(lambda: nn.Affine(4, 3, rng=0), ((5, 2, 4),)),
    "Identity": Entry(nn.Identity, ((5, 4),)),
    "ReLU": Entry(nn.ReLU, ((5, 4),)),
    "Sigmoid": Entry(nn.Sigmoid, ((5, 4),)),
    "Tanh": Entry(nn.Tanh, ((5, 4),)),
    "Softplus": Entry(lambda: nn.Softplus(beta=2.0), ((5, 4),)),
    "Softmax": Entry(nn.Softmax, ((5, 4),)),
    "Softmax of columns": Entry(lambda: nn.Softmax(axis=1), ((5, 4, 3),)),
    "Sum of all": Entry(nn.Sum, ((5, 4),)),
    "Sum of rows": Entry(lambda: nn.Sum(axis=1, keepdims=True), ((5, 4, 3),)),
    "Dropout": Entry(lambda: nn.Dropout(0.5, rng=0), ((5, 4),)),
    "Dropout of rate 0": Entry(lambda: nn.Dropout(0.0), ((5, 4),)),
    "Flatten": Entry(nn.Flatten, ((5, 4, 3),)),
    "Sequential": Entry(
        lambda: nn.Sequential(nn.Affine(4, 3, rng=0), nn.Tanh(), nn.Affine(3, 2, rng=1)), ((5, 4),)
    ),
    "BatchNorm": Entry(lambda: nn.BatchNorm(4), ((5, 4),)),
    "BatchNorm of three axes": Entry(lambda: nn.BatchNorm(4, momentum=0.3), ((5, 2, 4),)),
    "LayerNorm": Entry(lambda: nn.LayerNorm(4), ((5, 4),)),
    "RMSNorm": Entry(lambda: nn.RMSNorm(4), ((5, 4),)),
    "empty Sequential": Entry(nn.Sequential, ((5, 4),)),
    "mlp": Entry(lambda: nn.mlp([4, 3, 2], dropout=0.3, rng=0), ((5, 4),)),
}
