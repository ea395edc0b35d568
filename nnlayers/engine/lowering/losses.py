"""Lower losses."""

from __future__ import annotations

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.kernels import cross_entropy, likelihood, regression, softmax
from nnlayers.engine.kernels.hinge import hinge
from nnlayers.engine.kernels.losses import LossKernels, weigh
from nnlayers.engine.lowering.builder import ProgramBuilder, Targets, UnsupportedError, lowers_loss
from nnlayers.engine.program import Buffer
from nnlayers.losses import (
    GaussianNLL,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)

__all__ = ["lower_elementwise_loss", "lowers_elementwise_loss"]


def lowers_elementwise_loss(cls: type[Loss], kernels: LossKernels, *parameters: str) -> None:
    """Register the kernels of a loss that is a mean or sum over entries.

    Parameters
    ----------
    cls : type
        The loss's class.
    kernels : LossKernels
        Its function.
    *parameters : str
        The names of the loss's attributes that the function takes after prediction and target.
    """

    def lower(build: ProgramBuilder, loss: Loss, p: Buffer, targets: Targets) -> None:
        values = [float(getattr(loss, name)) for name in parameters]
        lower_elementwise_loss(build, loss, p, targets, kernels, *values)

    lowers_loss(cls)(lower)


def lower_elementwise_loss(
    build: ProgramBuilder,
    loss: Loss,
    p: Buffer,
    targets: Targets,
    kernels: LossKernels,
    *parameters: float,
) -> None:
    """Add the instructions of a loss that is a mean or sum over entries."""
    t = _values(loss, targets, p.shape)
    scale = _scales(build, loss, targets, p.shape)
    if p.grad is None:
        build.forward(kernels.predict, p, t, scale, targets.result, *parameters)
    else:
        build.forward(kernels.forward, p, t, scale, targets.result, p.grad, *parameters)


lowers_elementwise_loss(Huber, regression.huber, "delta")
lowers_elementwise_loss(KLDivergence, likelihood.kl_divergence)
lowers_elementwise_loss(MeanAbsoluteError, regression.absolute_error)
lowers_elementwise_loss(MeanSquaredError, regression.squared_error)
lowers_elementwise_loss(Poisson, likelihood.poisson)
lowers_elementwise_loss(Quantile, regression.quantile, "q")


@lowers_loss(GaussianNLL)
def _gaussian(build: ProgramBuilder, loss: GaussianNLL, p: Buffer, targets: Targets) -> None:
    if p.shape[-1:] != tuple(2 * length for length in targets.shape[-1:]):
        raise _mismatch(loss, targets)
    t = _values(loss, targets, (*p.shape[:-1], p.shape[-1] // 2))
    scale = _scales(build, loss, targets, t.shape)
    build.forward(likelihood.gaussian, p, t, scale, targets.result, _gradient(build, p))


@lowers_loss(Hinge)
def _hinge(build: ProgramBuilder, loss: Hinge, z: Buffer, targets: Targets) -> None:
    y = _classes(loss, targets, z)
    scale = _scales(build, loss, targets, z.shape[:-1])
    operands = z, y, float(loss.margin), scale, targets.result, _gradient(build, z)
    build.forward(hinge, *operands)


@lowers_loss(SigmoidCrossEntropy)
def _sigmoid(build: ProgramBuilder, loss: SigmoidCrossEntropy, z: Buffer, targets: Targets) -> None:
    c = np.asarray(1.0 if loss.pos_weight is None else loss.pos_weight)
    if c.ndim == 0:
        kernels = cross_entropy.sigmoid_losses
        lower_elementwise_loss(build, loss, z, targets, kernels, c.item())
        return
    if c.shape != z.shape[-c.ndim :]:
        raise _mismatch(loss, targets)
    t = _values(loss, targets, z.shape)
    scale = _scales(build, loss, targets, z.shape)
    columns = np.broadcast_to(c, z.shape).astype(np.float64).ravel()
    z, t = z.reshaped(columns.shape), t.reshaped(columns.shape)
    operands = z, t, columns, scale, targets.result, _gradient(build, z)
    build.forward(cross_entropy.sigmoid_losses_by_column, *operands)


@lowers_loss(SoftmaxCrossEntropy)
def _softmax(build: ProgramBuilder, loss: SoftmaxCrossEntropy, z: Buffer, targets: Targets) -> None:
    if z.shape[-1:] in ((), (0,)):
        raise _mismatch(loss, targets)
    c = np.zeros(0) if loss.class_weight is None else loss.class_weight
    if len(c) not in (0, z.shape[-1]):
        raise _mismatch(loss, targets)
    if targets.shape == z.shape:
        _distribution_loss(build, loss, z, targets, c)
    elif loss.label_smoothing:
        _smooth_loss(build, loss, z, targets, c)
    else:
        _class_loss(build, loss, z, targets, c)


def _class_loss(
    build: ProgramBuilder, loss: SoftmaxCrossEntropy, z: Buffer, targets: Targets, c: Array
) -> None:
    y = _classes(loss, targets, z)
    difference, e = (build.rows(z.shape, np.float64) for _ in range(2))
    build.forward(cross_entropy.subtract_own, z, y, difference)
    build.forward(softmax.exponentials, difference, e)
    mass = _masses(build, y, c)
    scale = _scales(build, loss, targets, z.shape[:-1], mass)
    rest, shift = (build.rows(z.shape[:-1], np.float64) for _ in range(2))
    operands = z, e, y, mass, scale, rest, shift, targets.result
    build.forward(cross_entropy.class_losses, *operands)
    if z.grad is not None:
        build.forward(cross_entropy.class_gradient, e, scale, rest, z.grad)


def _smooth_loss(
    build: ProgramBuilder, loss: SoftmaxCrossEntropy, z: Buffer, targets: Targets, c: Array
) -> None:
    y = _classes(loss, targets, z)
    cq = build.rows(z.shape, np.float64)
    build.forward(cross_entropy.smooth_classes, y, float(loss.label_smoothing), c, cq)
    scale = _scales(build, loss, targets, z.shape[:-1], _masses(build, y, c))
    _cross_entropy(build, z, targets, cq, scale)


def _distribution_loss(
    build: ProgramBuilder, loss: SoftmaxCrossEntropy, z: Buffer, targets: Targets, c: Array
) -> None:
    q = _values(loss, targets, z.shape)
    cq = build.rows(z.shape, np.float64)
    build.forward(cross_entropy.smooth_probabilities, q, float(loss.label_smoothing), c, cq)
    scale = _scales(build, loss, targets, z.shape[:-1])
    _cross_entropy(build, z, targets, cq, scale)


def _cross_entropy(
    build: ProgramBuilder, z: Buffer, targets: Targets, cq: Buffer, scale: Buffer
) -> None:
    """Add the loss of distributions, which are multiplied by class weights in cq."""
    below, e = (build.rows(z.shape, np.float64) for _ in range(2))
    build.forward(softmax.subtract_largest, z, below)
    build.forward(softmax.exponentials, below, e)
    rest = build.rows(z.shape[:-1], np.float64)
    build.forward(cross_entropy.distribution_losses, below, e, cq, scale, rest, targets.result)
    if z.grad is not None:
        build.forward(cross_entropy.distribution_gradient, e, cq, scale, rest, z.grad)


def _masses(build: ProgramBuilder, y: Buffer, c: Array) -> Buffer:
    """Return the class weight of each row; without class weights it has no entries."""
    mass = build.rows(y.shape if len(c) else (0,), np.float64)
    if len(c):
        build.forward(cross_entropy.class_masses, y, c, mass)
    return mass


def _scales(
    build: ProgramBuilder,
    loss: Loss,
    targets: Targets,
    shape: tuple[int, ...],
    mass: Buffer | None = None,
) -> Buffer:
    """Return the factor of each loss in the mean or sum, for losses of `shape` a row."""
    scale = build.rows(shape, np.float64)
    none = build.rows((0,), np.float64)
    is_mean = int(loss.reduction == "mean")
    build.forward(weigh, targets.weight, mass or none, is_mean, scale, targets.result)
    return scale


def _gradient(build: ProgramBuilder, p: Buffer) -> Buffer:
    """Return the gradient of a prediction, without columns if it needs none."""
    return build.rows((0,)) if p.grad is None else p.grad


def _classes(loss: Loss, targets: Targets, z: Buffer) -> Buffer:
    """Return the targets as a class for each row of the scores."""
    if targets.shape != z.shape[:-1] or targets.dtype.kind == "f" or z.shape[-1] == 0:
        raise _mismatch(loss, targets)
    return targets.read_as(np.int64)


def _values(loss: Loss, targets: Targets, shape: tuple[int, ...]) -> Buffer:
    """Return the targets as numbers, one for each entry of `shape`."""
    if targets.shape != shape:
        raise _mismatch(loss, targets)
    return targets.read_as(np.float64)


def _mismatch(loss: Loss, targets: Targets) -> UnsupportedError:
    return UnsupportedError(f"targets of shape {targets.shape} and {targets.dtype} of {loss!r}")
