"""What an optimizer is, and how parameters come to lie in one flat vector."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Parameter
from nnlayers.numerics import Array
from nnlayers.state import fitting_state
from nnlayers.validation import check_number

__all__ = ["LearningRate", "NonfiniteGradientError", "Optimizer", "decayed", "unique_parameters"]

LearningRate: TypeAlias = float | Callable[[int], float]

# Entries that are updated at a time, so that the arrays involved stay in the second-level cache.
BLOCK = 32_768


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


class _Bound(NamedTuple):
    """What a parameter was like when the flat vectors were last laid out."""

    parameter: Parameter
    value: Array
    trainable: bool


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

    def __init__(self, params: Iterable[Parameter], lr: LearningRate) -> None:
        self.params = unique_parameters(params)
        self.steps = 0
        self.lr = lr
        self._states = [self._fresh_state(parameter) for parameter in self.params]
        self._bound: list[_Bound] = []
        self._relaid = -1
        self._trained: list[Parameter] = []
        self._blocks: list[tuple[Array, Array, tuple[Array, ...]]] = []
        self._grads: list[Array] = []
        self._bind()

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
            Number of the step, from 1.
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
        if self._relaid != Parameter.relaid:
            if not self._is_bound():
                self._bind()
            self._relaid = Parameter.relaid
        for grads in self._grads:
            # A product with itself is the cheapest way to read every entry, and `vdot` the one that
            # does not warn when it overflows. That happens for finite entries too, and memory that
            # no backward pass has written may hold anything: hence the second look.
            if not math.isfinite(np.vdot(grads, grads)):
                self._check_gradients()
        for parameter in self._trained:
            parameter.settle_grad()
        self.steps += 1
        for p, g, state in self._blocks:
            self.update(p, g, state, lr, self.steps)

    def _check_gradients(self) -> None:
        for index, parameter in enumerate(self.params):
            if parameter.trainable and not np.isfinite(parameter.grad).all():
                raise NonfiniteGradientError(parameter, index)

    def state_dict(self) -> dict[str, Array]:
        """Return the number of steps, the learning rate if it is no schedule, and the state.

        The arrays are copies; those of the state are named after the parameter's place, such as
        ``"0.m"``.
        """
        state = {"steps": np.array(self.steps)}
        if not callable(self._lr):
            state["lr"] = np.array(self._lr)
        return state | {name: array.copy() for name, array in self._named_state().items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        arrays = fitting_state(self, self.state_dict(), state)
        if "lr" in arrays:
            self.lr = float(arrays["lr"])
        self.steps = int(arrays["steps"])
        for name, array in self._named_state().items():
            array[...] = arrays[name]

    def _named_state(self) -> dict[str, Array]:
        return {
            f"{index}.{name}": array
            for index, arrays in enumerate(self._states)
            for name, array in zip(self.state_names, arrays, strict=True)
        }

    def _fresh_state(self, parameter: Parameter) -> list[Array]:
        return [np.zeros_like(parameter.value) for _ in self.state_names]

    def _is_bound(self) -> bool:
        for parameter, value, trainable in self._bound:
            if parameter.value is not value or parameter.trainable is not trainable:
                return False
        return bool(self._bound)

    def _bind(self) -> None:
        """Lay out the flat vectors, and cut what is to be trained into blocks.

        Parameters that another optimizer has laid out stay where they are. Each stretch of
        neighbours that are trained becomes one run of blocks.
        """
        _pack([parameter for parameter in self.params if parameter.flat is None])
        self._blocks, self._grads = [], []
        for run in _runs(self.params):
            self._add_blocks(run)
        self._bound = [_Bound(p, p.value, p.trainable) for p in self.params]
        self._trained = [p for p in self.params if p.trainable]

    def _add_blocks(self, run: list[int]) -> None:
        """Give a run of neighbours, by their places in `params`, its state and its blocks."""
        values, grads, start = _place(self.params[run[0]])
        length = sum(self.params[index].size for index in run)
        states = tuple(np.empty(length, values.dtype) for _ in self.state_names)
        offset = 0
        for index in run:
            span = slice(offset, offset + self.params[index].size)
            views = [state[span].reshape(self.params[index].shape) for state in states]
            for view, carried_over in zip(views, self._states[index], strict=True):
                view[...] = carried_over
            self._states[index] = views
            offset = span.stop
        self._grads.append(grads[start : start + length])
        for first in range(0, length, BLOCK):
            last = min(first + BLOCK, length)
            flat = slice(start + first, start + last)
            block_states = tuple(state[first:last] for state in states)
            self._blocks.append((values[flat], grads[flat], block_states))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {
            "_bound": [],
            "_relaid": -1,
            "_trained": [],
            "_blocks": [],
            "_grads": [],
        }

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


def _pack(params: list[Parameter]) -> None:
    """Lay parameters side by side in two flat vectors for each dtype."""
    for dtype in {parameter.dtype for parameter in params}:
        members = [parameter for parameter in params if parameter.dtype == dtype]
        size = sum(parameter.size for parameter in members)
        values, grads = np.empty(size, dtype), np.empty(size, dtype)
        start = 0
        for parameter in members:
            parameter.move_to(values, grads, start)
            start += parameter.size


def _place(parameter: Parameter) -> tuple[Array, Array, int]:
    assert parameter.flat is not None
    return parameter.flat


def _runs(params: list[Parameter]) -> list[list[int]]:
    """Return the places in `params` of those to be trained, neighbours in a flat vector joined."""
    trained = [index for index, parameter in enumerate(params) if parameter.trainable]
    trained.sort(key=lambda index: (id(_place(params[index])[0]), _place(params[index])[2]))
    runs: list[list[int]] = []
    end: tuple[int, int] | None = None
    for index in trained:
        values, _, start = _place(params[index])
        if (id(values), start) != end:
            runs.append([])
        runs[-1].append(index)
        end = id(values), start + params[index].size
    return runs
