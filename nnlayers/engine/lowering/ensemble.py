"""Lower the layers and the loss of networks for tables: members, groups and codes of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.kernels import affine, copying, ensemble, piecewise
from nnlayers.engine.lowering.builder import (
    ProgramBuilder,
    Targets,
    UnsupportedError,
    lower_loss,
    lowers,
    lowers_loss,
)
from nnlayers.engine.lowering.layers import add_products
from nnlayers.engine.program import Buffer
from nnlayers.layers import EnsembleAffine, GroupedAffine, PiecewiseLinear
from nnlayers.losses import EnsembleLoss
from nnlayers.parameter import Parameter

# Groups with fewer outputs than this are multiplied by loops.
NARROW = 8


@lowers(EnsembleAffine)
def _ensemble_affine(build: ProgramBuilder, layer: EnsembleAffine, x: Buffer) -> Buffer:
    members, inputs = layer.members, layer.in_features
    if x.shape[-2:] not in ((members, inputs), (1, inputs)):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    share = members // x.shape[-2]
    W, r, s, b = (parameter.value for parameter in (layer.W, layer.r, layer.s, layer.b))
    gradients = [build.gradient(parameter) for parameter in (layer.W, layer.r, layer.s, layer.b)]
    dW, dr, ds, db = gradients
    needs_dz = x.grad is not None or dr is not None
    needs_grad = needs_dz or any(gradient is not None for gradient in gradients)
    z = build.rows((*x.shape[:-2], members, inputs), needs_grad=needs_dz)
    y = build.rows((*x.shape[:-2], members, layer.out_features), needs_grad=needs_grad)
    p = build.like(y)
    build.forward(ensemble.scale_inputs, x, share, r, z)
    if y.grad is not None:
        sums = [np.zeros_like(s) if total is None else total for total in (ds, db)]
        build.backward(ensemble.scale_outputs_backward, p, s, y.grad, *sums)
    add_products(build, z, W, dW, p)
    build.forward(ensemble.scale_outputs, p, s, b, y)
    if x.grad is not None:
        sums_of_r = np.zeros_like(r) if dr is None else dr
        build.backward(ensemble.scale_inputs_backward, x, share, r, z.grad, sums_of_r, x.grad)
    elif dr is not None:
        build.backward(ensemble.scale_inputs_gradient, x, share, z.grad, dr)
    return y


@lowers(GroupedAffine)
def _grouped_affine(build: ProgramBuilder, layer: GroupedAffine, x: Buffer) -> Buffer:
    groups, inputs, outputs = layer.groups, layer.in_features, layer.out_features
    if x.shape[-2:] != (groups, inputs):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    dW, db = build.gradient(layer.W), build.gradient(layer.b)
    needs_grad = x.grad is not None or dW is not None or db is not None
    batch = x.shape[:-2]
    y = build.rows((*batch, groups, outputs), needs_grad=needs_grad)
    # The columns of all groups are side by side.
    wide_x, wide_y = x.reshaped((*batch, groups * inputs)), y.reshaped((*batch, groups * outputs))
    add = _add_narrow_groups if outputs < NARROW else _add_groups
    add(build, wide_x, layer.W, dW, groups, wide_y)
    build.forward(affine.add_bias, wide_y, layer.b.value)
    if db is not None:
        build.backward(affine.bias_gradient, wide_y.grad, db)
    return y


def _add_groups(
    build: ProgramBuilder, x: Buffer, W: Parameter, dW: Array | None, groups: int, y: Buffer
) -> None:
    """Add the instructions of a product of matrices for each group."""
    build.forward(ensemble.group_products, build.gemm, x, W.value, groups, y)
    if dW is not None:
        build.backward(ensemble.group_weight_gradient, build.gemm, x, y.grad, groups, dW)
    if x.grad is not None:
        build.backward(ensemble.group_input_gradient, build.gemm, y.grad, W.value, groups, x.grad)


def _add_narrow_groups(
    build: ProgramBuilder, x: Buffer, W: Parameter, dW: Array | None, groups: int, y: Buffer
) -> None:
    """Add the same for groups of few outputs, which BLAS multiplies slowly."""
    transposed = np.zeros((W.shape[-1], groups * W.shape[1]), build.dtype)
    build.forward(affine.transpose, W.value, transposed)
    build.forward(ensemble.narrow_group_products, x, transposed, groups, y)
    if dW is not None:
        sums = np.zeros_like(transposed)
        build.backward(ensemble.narrow_group_weight_gradient, x, y.grad, groups, sums)
        build.backward(affine.transpose, sums, dW)
    if x.grad is not None:
        build.backward(ensemble.narrow_group_input_gradient, y.grad, transposed, groups, x.grad)


@lowers(PiecewiseLinear)
def _piecewise_linear(build: ProgramBuilder, layer: PiecewiseLinear, x: Buffer) -> Buffer:
    if x.shape[-1:] != (layer.features,):
        raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    edges, dedges = layer.edges.value, build.gradient(layer.edges)
    needs_grad = x.grad is not None or dedges is not None
    y = build.rows((*x.shape, layer.bins), needs_grad=needs_grad)
    scale, low, high = (np.zeros((layer.features, layer.bins), build.dtype) for _ in range(3))
    largest = float(np.finfo(build.dtype).max)
    build.forward(piecewise.find_bins, edges, largest, scale, low, high)
    build.forward(piecewise.codes, x, edges, largest, scale, low, high, y)
    if y.grad is not None:
        build.backward(piecewise.slopes, x, edges, largest, scale, low, high, y.grad)
    if dedges is not None:
        build.backward(piecewise.edges_gradient, y, y.grad, dedges)
    if x.grad is not None:
        build.backward(piecewise.input_gradient, y.grad, x.grad)
    return y


@lowers_loss(EnsembleLoss)
def _ensemble_loss(build: ProgramBuilder, loss: EnsembleLoss, p: Buffer, targets: Targets) -> None:
    if len(p.shape) < 2:
        raise UnsupportedError(f"outputs of shape {p.shape} of {loss!r}")
    members, is_sum = p.shape[0], loss.reduction == "sum"

    def repeated(shape: tuple[int, ...], dtype: Any) -> Buffer:
        """Return memory for the targets of all members, which are those of the row."""
        source, copies = targets.read_as(dtype), build.rows(shape, dtype)
        width = math.prod(targets.shape)
        one, all_of_them = source.reshaped((width,)), copies.reshaped((members, width))
        build.forward(copying.repeat(np.dtype(dtype).name), one, members, all_of_them)
        return copies

    shape = members, *targets.shape
    of_members = Targets(shape, targets.dtype, targets.weight, targets.result, repeated)
    lower_loss(build, loss.loss, p, of_members)
    build.forward(ensemble.divide_result, members, int(is_sum), targets.result)
    if is_sum and p.grad is not None:
        build.forward(ensemble.divide_gradient, float(members), p.grad)
