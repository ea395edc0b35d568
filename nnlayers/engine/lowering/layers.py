"""Lower layers: one line or a few for each, beside the kernels that they use."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers.engine.kernels import affine
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer, lowers
from nnlayers.engine.program import Buffer
from nnlayers.layer import Layer
from nnlayers.layers import Affine, Embedding, Sequential

__all__ = ["input_dtype"]


def input_dtype(model: Layer, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a program reads inputs in: int64 for ids, else the parameters'."""
    while isinstance(model, Sequential) and len(model):
        model = model[0]
    return np.dtype(np.int64) if isinstance(model, Embedding) else dtype


@lowers(Sequential)
def _sequential(build: ProgramBuilder, layer: Sequential, x: Buffer) -> Buffer:
    for inner in layer:
        x = lower_layer(build, inner, x)
    return x


@lowers(Affine)
def _affine(build: ProgramBuilder, layer: Affine, x: Buffer) -> Buffer:
    if x.shape[-1:] != (layer.in_features,):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    W, b = layer.W, layer.b
    dW, db = build.gradient(W), build.gradient(b)
    needs_grad = x.grad is not None or dW is not None or db is not None
    y = build.rows((*x.shape[:-1], layer.out_features), needs_grad=needs_grad)
    build.forward(affine.multiply, build.gemm, x, W.value, y)
    if b is not None:
        build.forward(affine.add_bias, y, b.value)
    if dW is not None:
        build.backward(affine.weight_gradient, build.gemm, x, y.grad, dW)
    if db is not None:
        build.backward(affine.bias_gradient, y.grad, db)
    if x.grad is not None:
        build.backward(affine.input_gradient, build.gemm, y.grad, W.value, x.grad)
    return y
