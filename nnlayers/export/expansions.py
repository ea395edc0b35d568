"""Layers of the library that are exported as the graphs of smaller layers that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers.graphs import Graph, Input, functions
from nnlayers.layer import Layer
from nnlayers.layers import EnsembleAffine, GroupedAffine, PiecewiseLinear

__all__ = ["EXPANSIONS"]


def _piecewise_linear(layer: PiecewiseLinear) -> Layer:
    x, edges = Input("x"), Input("edges", layer.edges)
    low, high = layer.limits()
    left, right = edges[:, :-1], edges[:, 1:]
    has_width = right > left
    largest = float(np.finfo(layer.edges.dtype).max)
    # No difference of halves overflows.
    width = functions.where(has_width, right / 2 - left / 2, 1.0)
    scale = functions.where(has_width, functions.minimum(1 / width, largest), 0.0)
    finite = functions.maximum(functions.minimum(x, largest), -largest)
    y = (finite[..., np.newaxis] / 2 - left / 2) * scale
    return Graph(functions.maximum(functions.minimum(y, high), low), inputs=[x])


def _ensemble_affine(layer: EnsembleAffine) -> Layer:
    x, W, r, s, b = Input("x"), *(Input(p.name, p) for p in (layer.W, layer.r, layer.s, layer.b))
    return Graph(((x * r) @ W) * s + b, inputs=[x])


def _grouped_affine(layer: GroupedAffine) -> Layer:
    x, W, b = Input("x"), Input("W", layer.W), Input("b", layer.b)
    y = x[..., np.newaxis, :] @ W  # The product of one row with the matrix of its group.
    return Graph(y[..., 0, :] + b, inputs=[x])


# Each format then needs rules for the smaller layers alone.
EXPANSIONS: dict[type[Layer], Callable[[Any], Layer]] = {
    EnsembleAffine: _ensemble_affine,
    GroupedAffine: _grouped_affine,
    PiecewiseLinear: _piecewise_linear,
}
