"""Base of the optimizers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import Absent, check_number
from nnlayers._core.state import commit, validated_state
from nnlayers.layer import Parameter
from nnlayers.optim.layout import FlatLayout

__all__ = ["LearningRate", "NonfiniteGradientError", "Optimizer", "decayed", "unique_parameters"]

LearningRate: TypeAlias = float | Callable[[int], float]

PLACEMENT = attrgetter("placement")


class NonfiniteGradientError(FloatingPointError):
    """A gradient holds NaN or infinity; the step was not taken, and the gradients are still there.

    Attributes
    ----------
    parameter : Parameter
        The first parameter whose gradient is not finite.
    """

    def __init__(self, parameter: Parameter, index: int) -> None:
        super().__init__(
            f"the gradient of params[{index}], {parameter!r}, holds NaN or infinity: "
            "no parameter was moved"
        )
        self.parameter = parameter
        self.index = index

    def __reduce__(self) -> tuple[type, tuple[Parameter, int]]:
        return type(self), (self.parameter, self.index)


class Optimizer(ABC):
    r"""Moves parameters along their gradients, and consumes these.

    The parameters are laid side by side in one flat vector, so that a step is a few operations on
    long arrays however many layers there are. A subclass states the update of a stretch of that
    vector in :meth:`update`, and names the arrays of state which that needs in
    :attr:`state_names`.

    Parameters
    ----------
    params : iterable of Parameter
        What to train, such as ``model.parameters()``; frozen ones are left alone.
    lr : float or callable
        The learning rate, or a schedule ``schedule(step) -> lr`` with steps counted from 0.

    Attributes
    ----------
    params : list of Parameter
        What was given, each once.
    steps : int
        The number of steps done.

    Raises
    ------
    TypeError, ValueError
        If `params` is empty or holds something else, or `lr` is below 0.

    Examples
    --------
    >>> class SignDescent(Optimizer):
    ...     def update(self, p, g, state, lr, t):
    ...         p -= lr * np.sign(g)
    >>> W = Parameter([1.0, 2.0])
    >>> optimizer = SignDescent([W], lr=0.5)
    >>> W.grad += [3.0, -4.0]
    >>> optimizer.step()
    >>> W.value, W.grad
    (array([0.5, 2.5]), array([0., 0.]))
    """

    state_names: tuple[str, ...] = ()
    _layout: FlatLayout
    zero_grad = Absent("step() consumes the gradients, zero_grad() of a layer discards them")

    def __init__(self, params: Iterable[Parameter], lr: LearningRate) -> None:
        self.params = unique_parameters(params)
        self.steps = 0
        self.lr = lr
        states = [self._fresh_state(parameter) for parameter in self.params]
        self._lay_out(states, [0] * len(self.params))

    @abstractmethod
    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Change weights and state in place; nothing but their own entries is to be looked at.

        Parameters
        ----------
        p, g : ndarray, shape (n,)
            Weights and their gradients; `g` is not to be written to.
        state : tuple of ndarray, shape (n,)
            One array for each of :attr:`state_names`, zeros before the first step.
        lr : float
            The learning rate.
        t : int
            Number of the step, from 1; steps during which a parameter was frozen do not count.
        """

    @property
    def lr(self) -> float:
        """The learning rate of the next step; assign a number or a schedule."""
        if not callable(self._lr):
            return self._lr
        lr = float(self._lr(self.steps))
        if not 0 <= lr < math.inf:
            raise ValueError(
                f"lr must be a finite number of at least 0, its schedule gave {lr!r} "
                f"for step {self.steps}"
            )
        return lr

    @lr.setter
    def lr(self, lr: LearningRate) -> None:
        self._lr = lr if callable(lr) else check_number("lr", lr, minimum=0)

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate follows a schedule."""
        return callable(self._lr)

    def step(self) -> None:
        """Move every parameter that is not frozen, and consume its gradient: it now reads zero.

        Raises
        ------
        NonfiniteGradientError
            If a gradient holds NaN or infinity; then no parameter, gradient or state has changed.
        """
        lr = self.lr
        layout = self._layout
        if list(map(PLACEMENT, self.params)) != layout.placements:
            self._lay_out(layout.states, layout.missed_by(self.steps))
            layout = self._layout
        for grads in layout.grads:
            # A product with itself is the cheapest way to read every entry, and `vdot` the one that
            # does not warn when it overflows. That happens for finite entries too, and memory that
            # no backward pass has written may hold anything: hence the second look.
            if not math.isfinite(np.vdot(grads, grads)):
                self._check_gradients()
        Parameter.consume_grads(layout.trained)
        self.steps = steps = self.steps + 1
        for p, g, state, missed in layout.blocks:
            self.update(p, g, state, lr, steps - missed)

    def _check_gradients(self) -> None:
        for index, parameter in enumerate(self.params):
            if parameter.trainable and not np.isfinite(parameter.grad).all():
                raise NonfiniteGradientError(parameter, index)

    def state_dict(self) -> dict[str, Array]:
        """Return the numbers of steps, the learning rate if it is no schedule, and the state.

        The arrays are copies. ``"parameter_steps"`` counts the steps of each parameter, those
        during which it was frozen left out; arrays of state are named after the parameter's index,
        such as ``"0.m"``.
        """
        missed = self._layout.missed_by(self.steps)
        state = {"steps": np.array(self.steps), "parameter_steps": self.steps - np.array(missed)}
        if not callable(self._lr):
            state["lr"] = np.array(self._lr)
        for index, arrays in enumerate(self._layout.states):
            for name, array in zip(self.state_names, arrays, strict=True):
                state[f"{index}.{name}"] = array.copy()
        return state

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        new = validated_state(self, self.state_dict(), state)
        steps = int(new["steps"])
        missed = [steps - int(count) for count in new["parameter_steps"]]
        states = [
            [new[f"{index}.{name}"].copy() for name in self.state_names]
            for index in range(len(self.params))
        ]
        scalars: dict[str, Any] = {"steps": steps}
        if "lr" in new:
            scalars["_lr"] = check_number("lr", float(new["lr"]), minimum=0)
        self._lay_out(states, missed, **scalars)

    def _fresh_state(self, parameter: Parameter) -> list[Array]:
        return [np.zeros_like(parameter.value) for _ in self.state_names]

    def _lay_out(self, states: list[list[Array]], missed: list[int], **attributes: Any) -> None:
        """Build a layout aside, and put it and other attributes in place at once."""
        layout = FlatLayout.of(self.params, states, missed, attributes.get("steps", self.steps))
        moves = [
            parameter.prepare_placement(placement)
            for parameter, placement in zip(self.params, layout.placements, strict=True)
        ]
        attributes["_layout"] = layout
        commit([*moves, *(partial(setattr, self, *item) for item in attributes.items())])

    def __getstate__(self) -> dict[str, Any]:
        laid_out = {"states": self._layout.states, "missed": self._layout.missed_by(self.steps)}
        return vars(self) | {"_layout": laid_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lay_out(**state["_layout"])

    def __repr__(self) -> str:
        size = sum(parameter.size for parameter in self.params)
        return f"{type(self).__name__}({size:,} weights in {len(self.params)} parameters)"


def unique_parameters(params: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters, each once; raise an error if there is none or something else.

    Examples
    --------
    >>> unique_parameters([])
    Traceback (most recent call last):
    ValueError: params must hold at least one Parameter, got none
    """
    unique = list({id(parameter): parameter for parameter in params}.values())
    for parameter in unique:
        if not isinstance(parameter, Parameter):
            raise TypeError(f"params must hold Parameters, got {parameter!r}")
    if not unique:
        raise ValueError("params must hold at least one Parameter, got none")
    return unique


def decayed(g: Array, p: Array, weight_decay: float) -> Array:
    """Return the gradient with that of ``weight_decay / 2 * sum(p**2)`` added."""
    return g + weight_decay * p if weight_decay else g
