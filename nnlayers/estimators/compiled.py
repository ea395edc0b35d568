"""Losses, penalty and optimizers of the estimators, for the compiled engine."""

from __future__ import annotations

from typing import Any

from nnlayers.engine import UnsupportedError
from nnlayers.engine.kernels import penalized as kernels
from nnlayers.engine.kernels.losses import LossKernels
from nnlayers.engine.lowering import UpdateRule, lower_loss
from nnlayers.engine.lowering.builder import ProgramBuilder, Targets, lowers_loss
from nnlayers.engine.lowering.losses import lower_elementwise_loss
from nnlayers.engine.lowering.optimizers import adam_rule, lowers_optimizer
from nnlayers.engine.program import Buffer
from nnlayers.estimators.objectives import (
    BoundedSigmoid,
    HalfPoissonDeviance,
    HalfSquaredError,
    PenalizedLoss,
    is_penalized,
)
from nnlayers.estimators.solvers import Momentum, ScikitAdam
from nnlayers.losses import Loss


def _lowers_by_outputs(cls: type[Loss], loss_kernels: LossKernels) -> None:
    """Register the kernels of a loss that takes the number of outputs."""

    def lower(build: ProgramBuilder, loss: Loss, p: Buffer, targets: Targets) -> None:
        if len(p.shape) != 1:
            raise UnsupportedError(f"outputs of shape {p.shape} of {loss!r}")
        lower_elementwise_loss(build, loss, p, targets, loss_kernels, float(p.shape[0]))

    lowers_loss(cls)(lower)


_lowers_by_outputs(BoundedSigmoid, kernels.bounded_sigmoid)
_lowers_by_outputs(HalfPoissonDeviance, kernels.half_poisson_deviance)
_lowers_by_outputs(HalfSquaredError, kernels.half_squared_error)


@lowers_loss(PenalizedLoss)
def _penalized(
    build: ProgramBuilder, penalized: PenalizedLoss, p: Buffer, targets: Targets
) -> None:
    lower_loss(build, penalized.loss, p, targets)
    for parameter in penalized.parameters if penalized.alpha else ():
        if is_penalized(parameter):
            w, g = parameter.placement.value, parameter.placement.grad
            operands = w, g, float(penalized.alpha), p, targets.weight, targets.result
            build.after_backward(kernels.penalty, *operands)


@lowers_optimizer(ScikitAdam)
def _adam(optimizer: ScikitAdam, decay: float) -> UpdateRule:
    # scikit-learn adds epsilon before it corrects the bias of the root.
    eps = optimizer.epsilon / (1 - optimizer.betas[1]) ** 0.5
    rule = adam_rule(optimizer, decay)

    def coefficients(lr: Any, t: Any) -> tuple[Any, ...]:
        rate, _, shrink = rule.coefficients(lr, t)
        return rate, eps, shrink

    return rule._replace(coefficients=coefficients)


@lowers_optimizer(Momentum)
def _momentum(optimizer: Momentum, decay: float) -> UpdateRule:
    mu = optimizer.momentum
    ahead, share = (mu, 1.0) if optimizer.nesterov else (1.0, 0.0)
    return UpdateRule(kernels.velocity, (mu, ahead, share), lambda lr, t: (lr,))
