"""Learning rate schedules.

A schedule is any function ``schedule(step) -> lr`` with steps counted from 0. An optimizer takes it
instead of a number:

>>> import nnlayers as nn
>>> schedule = LinearWarmup(CosineDecay(1e-2, steps=900), steps=100)
>>> optimizer = nn.optim.Adam(nn.Affine(3, 1, rng=0).parameters(), lr=schedule)
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from nnlayers._core.checks import check_integer, check_number
from nnlayers.optim.base import LearningRate
from nnlayers.optim.plateau import ReduceOnPlateau

__all__ = [
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "LinearWarmup",
    "OneCycle",
    "ReduceOnPlateau",
    "StepDecay",
]


class _Schedule(ABC):
    """Base of the schedules, whose arguments and steps are checked."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step.

        Raises
        ------
        TypeError, ValueError
            If `step` is not an integer of at least 0.
        """
        if type(step) is not int or not 0 <= step <= sys.maxsize:
            step = check_integer("step", step, minimum=0)
        try:
            return self._rate(step)
        except OverflowError:  # That of a power of a large factor.
            return math.inf

    @abstractmethod
    def _rate(self, step: int) -> float: ...

    def _store(self, **checked: float) -> None:
        """Store arguments as the checks return them: NumPy's numbers as Python's."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Constant(_Schedule):
    r"""Constant learning rate: :math:`\eta_t = \eta`.

    Parameters
    ----------
    lr : float
        :math:`\eta`, at least 0.

    Examples
    --------
    >>> Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        self._store(
            lr=check_number("lr", self.lr, minimum=0),
        )

    def _rate(self, step: int) -> float:
        return self.lr


@dataclass(frozen=True)
class StepDecay(_Schedule):
    r"""Step decay: multiply by a factor every k steps.

    .. math:: \eta_t = \eta\gamma^{\lfloor t / k \rfloor}

    Parameters
    ----------
    lr : float
        The first rate :math:`\eta`, at least 0.
    step_size : int
        The number k of steps between two changes, at least 1.
    gamma : float
        The factor :math:`\gamma`, above 0.

    Examples
    --------
    >>> schedule = StepDecay(1.0, step_size=10, gamma=0.5)
    >>> [schedule(step) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self._store(
            lr=check_number("lr", self.lr, minimum=0),
            step_size=check_integer("step_size", self.step_size, minimum=1),
            gamma=check_number("gamma", self.gamma, above=0),
        )

    def _rate(self, step: int) -> float:
        return self.lr * self.gamma ** (step // self.step_size)


@dataclass(frozen=True)
class ExponentialDecay(_Schedule):
    r"""Exponential decay: multiply by a factor at every step, :math:`\eta_t = \eta\gamma^t`.

    Parameters
    ----------
    lr : float
        The first rate :math:`\eta`, at least 0.
    gamma : float
        The factor :math:`\gamma`, above 0 and at most 1.

    Examples
    --------
    >>> ExponentialDecay(1.0, gamma=0.5)(3)
    0.125
    """

    lr: float
    gamma: float

    def __post_init__(self) -> None:
        self._store(
            lr=check_number("lr", self.lr, minimum=0),
            gamma=check_number("gamma", self.gamma, above=0, maximum=1),
        )

    def _rate(self, step: int) -> float:
        return float(self.lr * self.gamma**step)


@dataclass(frozen=True)
class CosineDecay(_Schedule):
    r"""Cosine decay: half a period of a cosine from the first rate to the last, which then stays.

    .. math::

        \eta_t = \eta_\text{end} + \tfrac12 (\eta - \eta_\text{end})
        \Big(1 + \cos\frac{\pi t}{T}\Big) \quad (t < T)

    Parameters
    ----------
    lr : float
        The first rate :math:`\eta`, at least 0.
    steps : int
        The length T, at least 1.
    final_lr : float
        The last rate :math:`\eta_\text{end}`, at least 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> schedule = CosineDecay(1.0, steps=4)
    >>> [round(schedule(step), 4) for step in range(6)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """

    lr: float
    steps: int
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        self._store(
            lr=check_number("lr", self.lr, minimum=0),
            steps=check_integer("steps", self.steps, minimum=1),
            final_lr=check_number("final_lr", self.final_lr, minimum=0),
        )

    def _rate(self, step: int) -> float:
        return _cosine(self.lr, self.final_lr, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class LinearWarmup(_Schedule):
    r"""Linear warmup to the rate of another schedule, which then takes over.

    .. math:: \eta_t = \Big(s + (1 - s)\frac{t}{T}\Big)\eta_0 \quad (t < T)

    The steps of the other schedule count from the end of the warmup.

    Parameters
    ----------
    lr : float or callable
        The rate after the warmup: a number or a schedule.
    steps : int
        The length T of the warmup, at least 1.
    start_factor : float
        The share s of the rate at step 0, from 0 to 1.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour",
    arXiv:1706.02677.

    Examples
    --------
    >>> schedule = LinearWarmup(ExponentialDecay(1.0, 0.5), steps=4, start_factor=0.0)
    >>> [schedule(step) for step in range(7)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """

    lr: LearningRate
    steps: int
    start_factor: float = 1 / 3

    def __post_init__(self) -> None:
        if not callable(self.lr):
            self._store(lr=check_number("lr", self.lr, minimum=0))
        self._store(
            steps=check_integer("steps", self.steps, minimum=1),
            start_factor=check_number("start_factor", self.start_factor, minimum=0, maximum=1),
        )

    def _rate(self, step: int) -> float:
        schedule: Callable[[int], float] = self.lr if callable(self.lr) else Constant(self.lr)
        if step >= self.steps:
            return schedule(step - self.steps)
        return (self.start_factor + (1 - self.start_factor) * step / self.steps) * schedule(0)


@dataclass(frozen=True)
class OneCycle(_Schedule):
    r"""One-cycle schedule: rise to a maximum, then fall far below the start, each along a cosine.

    From ``max_lr / div_factor`` at step 0 to `max_lr` at step ``pct_start * steps - 1`` and on to
    ``max_lr / div_factor / final_div_factor`` at step ``steps - 1``, where it stays.

    Parameters
    ----------
    max_lr : float
        The largest rate, at least 0.
    steps : int
        The number of steps of the whole cycle, at least 2.
    pct_start : float
        The share of the steps that rise, above 0 and below 1.
    div_factor, final_div_factor : float
        The divisors of the first and the last rate, at least 1.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", arXiv:1708.07120; the constants are those of PyTorch's ``OneCycleLR``.

    Examples
    --------
    >>> schedule = OneCycle(1.0, steps=10)
    >>> [round(schedule(step), 4) for step in (0, 2, 9)]
    [0.04, 1.0, 0.0]
    """

    max_lr: float
    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        self._store(
            max_lr=check_number("max_lr", self.max_lr, minimum=0),
            steps=check_integer("steps", self.steps, minimum=2),
            pct_start=check_number("pct_start", self.pct_start, above=0, below=1),
            div_factor=check_number("div_factor", self.div_factor, minimum=1),
            final_div_factor=check_number("final_div_factor", self.final_div_factor, minimum=1),
        )

    def _rate(self, step: int) -> float:
        first = self.max_lr / self.div_factor
        peak = self.pct_start * self.steps - 1
        if step <= peak:
            return _cosine(first, self.max_lr, step / peak if peak > 0 else 1.0)
        share = min((step - peak) / (self.steps - 1 - peak), 1.0)
        return _cosine(self.max_lr, first / self.final_div_factor, share)


def _cosine(start: float, end: float, share: float) -> float:
    """Interpolate from `start` to `end` along half a cosine; `share` goes from 0 to 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
