"""Lower batch, layer and RMS normalization."""

from __future__ import annotations

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.kernels import normalization as kernels
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lowers
from nnlayers.engine.program import Buffer
from nnlayers.layers import BatchNorm, LayerNorm, RMSNorm


@lowers(BatchNorm)
def _batch_norm(build: ProgramBuilder, layer: BatchNorm, x: Buffer) -> Buffer:
    y, normalized, dgamma, dbeta = _outputs(build, layer, x)
    running = build.state(layer, "running_mean"), build.state(layer, "running_var")
    inverse_std = np.zeros(layer.features, build.dtype)
    eps, gamma = float(layer.eps), layer.gamma.value
    uses_batch = build.trains(layer)
    if uses_batch:
        mean, var = np.zeros_like(inverse_std), np.zeros_like(inverse_std)
        build.forward(kernels.batch_norm, x, eps, mean, var, inverse_std, normalized)
        build.forward(kernels.check_variances, var, running[1])
        build.finally_(kernels.move_running, x, mean, var, float(layer.momentum), *running)
    else:
        build.forward(kernels.fixed_norm, x, eps, *running, inverse_std, normalized)
    build.forward(kernels.scale_and_shift, normalized, gamma, layer.beta.value, y)
    if y.grad is not None:
        build.backward(kernels.column_sums, normalized, y.grad, dgamma, dbeta)
        if uses_batch:
            sums = normalized, gamma, inverse_std, dgamma, dbeta
            build.backward(kernels.batch_norm_backward, *sums, y.grad)
        else:
            build.backward(kernels.fixed_norm_backward, gamma, inverse_std, y.grad)
    return y


@lowers(LayerNorm)
def _layer_norm(build: ProgramBuilder, layer: LayerNorm, x: Buffer) -> Buffer:
    y, normalized, dgamma, dbeta = _outputs(build, layer, x)
    inverse_std = build.rows(x.shape[:-1])
    build.forward(kernels.layer_norm, x, float(layer.eps), inverse_std, normalized)
    build.forward(kernels.scale_and_shift, normalized, layer.gamma.value, layer.beta.value, y)
    if y.grad is not None:
        build.backward(kernels.column_sums, normalized, y.grad, dgamma, dbeta)
        saved = normalized, layer.gamma.value, inverse_std
        build.backward(kernels.layer_norm_backward, *saved, y.grad)
    return y


@lowers(RMSNorm)
def _rms_norm(build: ProgramBuilder, layer: RMSNorm, x: Buffer) -> Buffer:
    y, normalized, dgamma, dbeta = _outputs(build, layer, x)
    inverse_rms = build.rows(x.shape[:-1])
    eps = np.finfo(build.dtype).eps if layer.eps is None else layer.eps
    build.forward(kernels.rms_norm, x, float(eps), inverse_rms, normalized)
    build.forward(kernels.scale_and_shift, normalized, layer.gamma.value, dbeta, y)
    if y.grad is not None:
        build.backward(kernels.column_sums, normalized, y.grad, dgamma, dbeta)
        saved = normalized, layer.gamma.value, inverse_rms
        build.backward(kernels.rms_norm_backward, *saved, y.grad)
    return y


def _outputs(
    build: ProgramBuilder, layer: BatchNorm | LayerNorm | RMSNorm, x: Buffer
) -> tuple[Buffer, Buffer, Array, Array]:
    """Return the output, the normalized input, and memory for dgamma and dbeta."""
    if x.shape[-1:] != (layer.features,):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    beta = None if isinstance(layer, RMSNorm) else layer.beta
    dgamma, dbeta = build.gradient(layer.gamma), build.gradient(beta)
    is_trained = dgamma is not None or dbeta is not None
    y = build.like(x) if x.grad is not None else build.rows(x.shape, needs_grad=is_trained)
    if dgamma is None:
        dgamma = np.zeros(layer.features, build.dtype)
    if dbeta is None:
        dbeta = np.zeros(0 if beta is None else layer.features, build.dtype)
    return y, build.rows(x.shape), dgamma, dbeta
