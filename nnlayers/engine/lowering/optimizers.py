"""Lower optimizers: the kernel of each, and the numbers that it needs in every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.kernel import Kernel
from nnlayers.engine.kernels import optimizers as kernels
from nnlayers.engine.lowering.builder import UnsupportedError, replaced_method
from nnlayers.optim import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSProp,
)

__all__ = ["UpdateRule", "adam_rule", "lower_optimizer", "lowers_optimizer", "unknown_optimizer"]

# The numbers of one step, each a float; or of several steps, each a float or an array of them.
Coefficients: TypeAlias = Callable[[Any, Any], tuple[Any, ...]]


class UpdateRule(NamedTuple):
    """The kernel that updates weights that move alike.

    Attributes
    ----------
    kernel : Kernel
        Called with the weights, their gradient, arrays of state, `step` and the constants.
    constants : tuple of float
        Numbers that are the same in every step.
    coefficients : callable
        Returns the entries of `step` for a learning rate and the number of the step, from 1; also
        for arrays of them.
    slots : tuple of str, optional
        Names of the arrays of state that the kernel takes, of which the optimizer may lack some.
    """

    kernel: Kernel[Any, Any]
    constants: tuple[float, ...]
    coefficients: Coefficients
    slots: tuple[str, ...] | None = None

    def operands(self, optimizer: Optimizer, run: Any, step: Any) -> tuple[Any, ...]:
        """Return the kernel's operands for a run of an optimizer's layout."""
        state = run.state
        if self.slots is not None:
            named = dict(zip(optimizer.state_names, state, strict=True))
            empty: Array = np.empty(0, run.values.dtype)
            state = tuple(named.get(name, empty) for name in self.slots)
        return (run.values, run.grads, *state, step, *self.constants)


OptimizerLowering: TypeAlias = Callable[[Any, float], UpdateRule]
_OPTIMIZERS: dict[type, OptimizerLowering] = {}


def lowers_optimizer(*classes: type[Optimizer]) -> Callable[[OptimizerLowering], OptimizerLowering]:
    """Register a function that returns the rule of an optimizer for a weight decay."""

    def register(function: OptimizerLowering) -> OptimizerLowering:
        _OPTIMIZERS.update(dict.fromkeys(classes, function))
        return function

    return register


def unknown_optimizer(optimizer: Optimizer) -> str | None:
    """Return a description of an optimizer that cannot be lowered, or of a method of it."""
    if type(optimizer) not in _OPTIMIZERS:
        return f"the optimizer {type(optimizer).__name__}"
    return replaced_method(optimizer)


def lower_optimizer(optimizer: Optimizer, decay: bool) -> UpdateRule:
    """Return the rule of an optimizer, of exactly a known class, with or without weight decay.

    Raises
    ------
    UnsupportedError
        If the optimizer is unknown.
    """
    problem = unknown_optimizer(optimizer)
    if problem is not None:
        raise UnsupportedError(problem)
    return _OPTIMIZERS[type(optimizer)](optimizer, optimizer.weight_decay if decay else 0.0)


def _rate(lr: Any, t: Any) -> tuple[Any, ...]:
    return (lr,)


def _with_rests(*factors: float) -> tuple[float, ...]:
    """Return some factors, and 1 minus each."""
    return *factors, *(1 - factor for factor in factors)


@lowers_optimizer(SGD)
def _sgd(optimizer: SGD, decay: float) -> UpdateRule:
    mu = optimizer.momentum
    if not mu:
        return UpdateRule(kernels.sgd, (decay,), _rate)
    share, ahead = (1.0, mu) if optimizer.nesterov else (0.0, 1.0)
    return UpdateRule(kernels.sgd_momentum, (decay, mu, share, ahead), _rate)


@lowers_optimizer(Adam)
def _adam(optimizer: Adam, decay: float) -> UpdateRule:
    return adam_rule(optimizer, decay)


@lowers_optimizer(AdamW)
def _adamw(optimizer: AdamW, decay: float) -> UpdateRule:
    return adam_rule(optimizer, 0.0, decay)


def adam_rule(optimizer: Adam, decay: float, shrinkage: float = 0.0) -> UpdateRule:
    """Return the rule of Adam, with weight decay in the gradient or as shrinkage of the weights."""
    beta1, beta2 = optimizer.betas

    def coefficients(lr: Any, t: Any) -> tuple[Any, ...]:
        correction = ((1 - beta2) / (1 - beta2**t)) ** 0.5
        rate = lr * (1 - beta1) / ((1 - beta1**t) * correction)
        return rate, optimizer.eps / correction, 1 - lr * shrinkage

    return UpdateRule(kernels.adam, (decay, beta1, beta2), coefficients)


@lowers_optimizer(NAdam)
def _nadam(optimizer: NAdam, decay: float) -> UpdateRule:
    beta1, beta2 = optimizer.betas

    def coefficients(lr: Any, t: Any) -> tuple[Any, ...]:
        def by_step(function: Callable[[int], float], first: int = 0) -> Any:
            values = [function(step + first) for step in np.ravel(t).tolist()]
            return np.reshape(values, np.shape(t))  # A single step has a number, not a list.

        mu, following = by_step(optimizer.momentum), by_step(optimizer.momentum, 1)
        product = by_step(optimizer.momentum_product)
        a = lr * (1 - mu) / (1 - product)
        b = lr * following / (1 - product * following)
        return a, b, (1 / (1 - beta2**t)) ** 0.5, optimizer.eps

    return UpdateRule(kernels.nadam, (decay, *_with_rests(beta1, beta2)), coefficients)


@lowers_optimizer(AdaGrad)
def _adagrad(optimizer: AdaGrad, decay: float) -> UpdateRule:
    def coefficients(lr: Any, t: Any) -> tuple[Any, ...]:
        return (lr / (1 + (t - 1) * optimizer.lr_decay),)

    return UpdateRule(kernels.adagrad, (decay, optimizer.eps), coefficients)


@lowers_optimizer(RMSProp)
def _rmsprop(optimizer: RMSProp, decay: float) -> UpdateRule:
    constants = decay, *_with_rests(optimizer.alpha), optimizer.eps, optimizer.momentum
    return UpdateRule(kernels.rmsprop, constants, _rate, slots=("v", "a", "u"))


@lowers_optimizer(AdaDelta)
def _adadelta(optimizer: AdaDelta, decay: float) -> UpdateRule:
    return UpdateRule(kernels.adadelta, (decay, *_with_rests(optimizer.rho), optimizer.eps), _rate)


@lowers_optimizer(Lion)
def _lion(optimizer: Lion, decay: float) -> UpdateRule:
    def coefficients(lr: Any, t: Any) -> tuple[Any, ...]:
        return lr, 1 - lr * decay

    return UpdateRule(kernels.lion, _with_rests(*optimizer.betas), coefficients)
