"""Reduce the learning rate once a value no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from nnlayers._core.checks import check_choice, check_instance, check_integer, check_number
from nnlayers._core.state import check_names, read_scalar
from nnlayers.optim.base import Optimizer

__all__ = ["PlateauRule", "ReduceOnPlateau", "check_unscheduled"]


class PlateauRule:
    r"""Next learning rate, given whether a value has improved.

    .. math:: \eta \leftarrow \max(\gamma \eta, \eta_\text{min})

    after more than `patience` calls in a row without improvement. :class:`ReduceOnPlateau` and the
    callback of the same name apply it and document its parameters.

    Attributes
    ----------
    waited : int
        Number of calls since the last improvement or reduction.
    cooling : int
        Number of calls left for which none is counted.

    Examples
    --------
    >>> rule = PlateauRule(factor=0.5, patience=1)
    >>> lr = 1.0
    >>> for improved in [True, False, False]:
    ...     lr = rule.next_lr(lr, improved)
    >>> lr
    0.5
    """

    def __init__(
        self,
        *,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        check_choice("mode", mode, ["min", "max"])
        self.mode = mode
        self.factor = check_number("factor", factor, above=0, below=1)
        self.patience = check_integer("patience", patience, minimum=0)
        self.threshold = check_number("threshold", threshold, minimum=0)
        self.cooldown = check_integer("cooldown", cooldown, minimum=0)
        self.min_lr = check_number("min_lr", min_lr, minimum=0)
        self.eps = check_number("eps", eps, minimum=0)
        self.waited = 0
        self.cooling = 0

    def improves(self, value: float, best: float) -> bool:
        """Return whether `value` is better than `best` by more than the threshold."""
        if self.mode == "min":
            return value < best * (1 - self.threshold)
        return value > best * (1 + self.threshold)

    def next_lr(self, lr: float, improved: bool) -> float:
        """Count a value that improved or did not; return the learning rate from here on."""
        self.waited = 0 if improved else self.waited + 1
        if self.cooling > 0:
            self.cooling -= 1
            self.waited = 0
        if self.waited <= self.patience:
            return lr
        self.cooling = self.cooldown
        self.waited = 0
        reduced = max(lr * self.factor, self.min_lr)
        return reduced if lr - reduced > self.eps else lr


class ReduceOnPlateau(PlateauRule):
    r"""Multiply an optimizer's learning rate by a factor once a value no longer improves.

    Unlike a schedule, it is not a function of the step: call :meth:`step` with the value, such as
    the validation loss, once an epoch. With a :class:`nnlayers.Trainer`, use the callback of the
    same name.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rate must be a number.
    mode : {"min", "max"}
        Whether a smaller or a larger value is better.
    factor : float
        Above 0 and below 1.
    patience : int
        Number of calls without improvement to allow before a reduction, at least 0.
    threshold : float
        Share of the best value by which a better value must exceed it, at least 0.
    cooldown : int
        Number of calls after a reduction that are not counted, at least 0.
    min_lr : float
        Smallest learning rate, at least 0.
    eps : float
        Reductions that are not larger than this are skipped.

    References
    ----------
    PyTorch's ``ReduceLROnPlateau`` has the same definition.

    Examples
    --------
    >>> from nnlayers import Parameter
    >>> from nnlayers.optim import SGD
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> plateau = ReduceOnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     plateau.step(loss)
    >>> optimizer.lr
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        check_unscheduled(optimizer)
        super().__init__(
            mode=mode,
            factor=factor,
            patience=patience,
            threshold=threshold,
            cooldown=cooldown,
            min_lr=min_lr,
            eps=eps,
        )
        self.optimizer = optimizer
        self.best = math.inf if mode == "min" else -math.inf

    def step(self, value: float) -> None:
        """Compare `value` with the best so far, and reduce the learning rate when it is time."""
        improved = self.improves(value, self.best)
        if improved:
            self.best = value
        self.optimizer.lr = self.next_lr(self.optimizer.lr, improved)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and the counters as arrays."""
        return {name: np.array(getattr(self, name)) for name in ("best", "waited", "cooling")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or not a number; then nothing has changed.
        """
        check_names(self, self.state_dict(), state)
        best = read_scalar(state, "best", float)
        waited, cooling = (read_scalar(state, name, int) for name in ("waited", "cooling"))
        self.best, self.waited, self.cooling = best, waited, cooling


def check_unscheduled(optimizer: Optimizer) -> None:
    """Raise ``ValueError`` if the learning rate is a schedule, which would undo a reduction."""
    check_instance("optimizer", optimizer, Optimizer)
    if optimizer.scheduled:
        raise ValueError("optimizer must have a number as its lr, got a schedule")
