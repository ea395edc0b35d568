"""Base class of the optimizers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import Absent, check_instance, check_number
from nnlayers._core.showing import shown
from nnlayers._core.state import commit, read_count, validated_state
from nnlayers.layer import Parameter
from nnlayers.optim.layout import FlatLayout, Settings

__all__ = [
    "LearningRate",
    "NonfiniteGradientError",
    "Optimizer",
    "drops_subnormals",
    "unique_parameters",
]

# More steps than anyone takes, from which a count can go on without leaving 64 bits.
MOST_STEPS = 2**62

# The number of steps after which subnormal numbers are dropped from the state once.
SUBNORMAL_PERIOD = 256

LearningRate: TypeAlias = float | Callable[[int], float]


class NonfiniteGradientError(FloatingPointError):
    """Error for a gradient that holds NaN or infinity, raised before anything has changed.

    Attributes
    ----------
    parameter : Parameter
        The first parameter whose gradient is not finite.
    index : int
        Its index in the optimizer's `params`.
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
    r"""Base class of the optimizers, which move parameters and consume their gradients.

    An optimizer places its parameters side by side in one flat vector, and their gradients in
    another. A step then takes a few operations on long arrays, however many layers there are. A
    subclass implements :meth:`update`, which changes a block of such a vector in place, and names
    the arrays of state that it needs in :attr:`state_names`. The learning rate of each parameter
    (:attr:`Parameter.lr_scale <nnlayers.Parameter.lr_scale>`) and weight decay are then right
    without further code.

    Parameters
    ----------
    params : iterable of Parameter
        The parameters to train, such as ``model.parameters()``; frozen ones do not move.
    lr : float or callable
        The learning rate, or a schedule ``schedule(step) -> lr`` with steps counted from 0.
    weight_decay : float
        The factor of :meth:`add_decay`, at least 0.

    Attributes
    ----------
    params : list of Parameter
        The parameters, each once.
    steps : int
        The number of steps done.

    Raises
    ------
    TypeError, ValueError
        If `params` is empty or holds something else, or `lr` or `weight_decay` is below 0.

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

    def __init__(
        self, params: Iterable[Parameter], lr: LearningRate, weight_decay: float = 0.0
    ) -> None:
        self.params = unique_parameters(params)
        self.steps = 0
        self.lr = lr
        self.weight_decay = check_number("weight_decay", weight_decay, minimum=0)
        states = [self._fresh_state(parameter) for parameter in self.params]
        self._lay_out(states, [0] * len(self.params))

    @abstractmethod
    def update(self, p: Array, g: Array, state: tuple[Array, ...], lr: float, t: int) -> None:
        """Update a block of weights and its state in place.

        A block may hold part of a parameter or several parameters, so the update of an entry must
        not depend on other entries.

        Parameters
        ----------
        p : ndarray, shape (n,)
            The weights, to be changed in place.
        g : ndarray, shape (n,)
            Their gradient, weight decay included; it must not be changed.
        state : tuple of ndarray, shape (n,)
            An array for each of :attr:`state_names`, zeros before the first step. After every
            256th step entries below the smallest normal number are set to 0.
        lr : float
            The learning rate of these weights.
        t : int
            The number of the step, from 1. Steps during which the weights were frozen do not count.
        """

    def add_decay(self, p: Array, g: Array, lr: float) -> Array:
        """Return the gradient plus that of the penalty ``weight_decay / 2 * sum(p**2)``.

        A step calls this before :meth:`update` if :attr:`weight_decay` is above 0, except for
        parameters whose ``decay`` is False. A subclass whose decay is no part of the gradient
        shrinks `p` in place instead, and returns `g`.
        """
        return g + self.weight_decay * p

    @property
    def lr(self) -> float:
        """The learning rate of the next step; assign a number or a schedule."""
        return self.lr_at(self.steps) if callable(self._lr) else self._lr

    @lr.setter
    def lr(self, lr: LearningRate) -> None:
        self._lr = lr if callable(lr) else check_number("lr", lr, minimum=0)

    def lr_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0; one of the future if scheduled."""
        if not callable(self._lr):
            return self._lr
        lr = float(self._lr(step))
        if not 0 <= lr < math.inf:
            raise ValueError(
                f"lr must be a finite number of at least 0, got {shown(lr)} from its schedule "
                f"for step {step}"
            )
        return lr

    @property
    def schedule(self) -> Callable[[int], float] | None:
        """The schedule of the learning rate; None if it is a number."""
        return self._lr if callable(self._lr) else None

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate follows a schedule."""
        return callable(self._lr)

    @property
    def layout(self) -> FlatLayout:
        """The flat vectors that the next step works on.

        ``layout.runs`` lists the weights that move alike, each with its gradient and state, the
        number of steps that it skipped, the factor of its learning rate, and whether weight decay
        applies to it. The memory of gradients that read zero may hold anything until
        ``Parameter.consume_grads(layout.trained)``.
        """
        layout = self._layout
        if [parameter.placement for parameter in self.params] != layout.placements:
            self._lay_out(layout.states, layout.skipped_until(self.steps))
            layout = self._layout
        return layout

    def step(self) -> None:
        """Move every parameter that is not frozen, and consume its gradient, which then reads zero.

        Raises
        ------
        NonfiniteGradientError
            If a gradient holds NaN or infinity; then no parameter, gradient or state has changed.
        """
        lr = self.lr
        layout = self.layout
        for grads in layout.grads:
            # The product with itself is the fastest way to read every entry, and `vdot` does not
            # warn when it overflows. It may overflow for finite gradients, and it reads memory that
            # no backward pass has written, so the gradients themselves decide.
            if not math.isfinite(np.vdot(grads, grads)):
                self._check_gradients()
        Parameter.consume_grads(layout.trained)
        self.steps = steps = self.steps + 1
        weight_decay = self.weight_decay
        for values, grads, state, skipped, lr_scale, decay in layout.blocks:
            rate = lr * lr_scale
            if weight_decay and decay:
                grads = self.add_decay(values, grads, rate)
            t = steps - skipped
            self.update(values, grads, state, rate, t)
            if drops_subnormals(t):
                for array in state:
                    array[np.abs(array) < np.finfo(array.dtype).tiny] = 0

    def _check_gradients(self) -> None:
        for index, parameter in enumerate(self.params):
            if parameter.trainable and not np.isfinite(parameter.grad).all():
                raise NonfiniteGradientError(parameter, index)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the numbers of steps, the learning rate unless scheduled, and the state.

        ``"parameter_steps"``, ``"lr_scale"`` and ``"decay"`` hold an entry for each parameter: the
        number of steps that it took part in, and its settings. The arrays of state are named after
        the parameter's index, such as ``"0.m"``.
        """
        skipped = np.array(self._layout.skipped_until(self.steps))
        state = {
            "steps": np.array(self.steps),
            "parameter_steps": self.steps - skipped,
            "lr_scale": np.array([parameter.lr_scale for parameter in self.params]),
            "decay": np.array([parameter.decay for parameter in self.params]),
        }
        if not callable(self._lr):
            state["lr"] = np.array(self._lr)
        for index, arrays in enumerate(self._layout.states):
            for name, array in zip(self.state_names, arrays, strict=True):
                state[f"{index}.{name}"] = array.copy()
        return state

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Continue from a state that :meth:`state_dict` returned.

        Each parameter gets the `lr_scale` and `decay` that it had; a state from before these
        existed leaves them as they are.

        Raises
        ------
        ValueError
            If an entry is missing, unknown, of another shape or out of range; then nothing has
            changed.
        """
        check_instance("state", state, Mapping)
        current = self.state_dict()
        added_later = {name: current[name] for name in ("lr_scale", "decay")}
        new = validated_state(self, current, added_later | dict(state))
        steps = read_count(new, "steps", MOST_STEPS)
        counts = [
            read_count({"parameter_steps": n}, "parameter_steps", MOST_STEPS)
            for n in new["parameter_steps"]
        ]
        skipped = [steps - count for count in counts]
        states = [
            [new[f"{index}.{name}"].copy() for name in self.state_names]
            for index in range(len(self.params))
        ]
        scalars: dict[str, Any] = {"steps": steps}
        if "lr" in new:
            scalars["_lr"] = check_number("lr", float(new["lr"]), minimum=0)
        scales = [check_number("lr_scale", float(scale), minimum=0) for scale in new["lr_scale"]]
        settings = list(zip(scales, new["decay"].tolist(), strict=True))
        self._lay_out(states, skipped, settings, **scalars)

    def _fresh_state(self, parameter: Parameter) -> list[Array]:
        return [np.zeros_like(parameter.value) for _ in self.state_names]

    def _lay_out(
        self,
        states: list[list[Array]],
        skipped: list[int],
        settings: Sequence[Settings] | None = None,
        **attributes: Any,
    ) -> None:
        """Build a layout and apply it, together with other attributes, in one change."""
        steps = attributes.get("steps", self.steps)
        layout = FlatLayout.of(self.params, states, skipped, steps, settings)
        moves = [
            parameter.prepare_placement(placement)
            for parameter, placement in zip(self.params, layout.placements, strict=True)
        ]
        attributes["_layout"] = layout
        commit([*moves, *(partial(setattr, self, *item) for item in attributes.items())])

    def __getstate__(self) -> dict[str, Any]:
        layout = self._layout
        arguments = {"states": layout.states, "skipped": layout.skipped_until(self.steps)}
        return vars(self) | {"_layout": arguments}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lay_out(**state["_layout"])

    def __repr__(self) -> str:
        size = sum(parameter.size for parameter in self.params)
        return f"{type(self).__name__}({size:,} weights in {len(self.params)} parameters)"


def drops_subnormals(t: Any) -> Any:
    """Return whether step t sets entries of the state to 0 that are below the normal numbers.

    The averages of a gradient that has become 0, as that of a dead unit, shrink until they come to
    rest at subnormal numbers, with which processors compute many times more slowly.
    """
    return t % SUBNORMAL_PERIOD == 0


def unique_parameters(params: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters, each once, and check that there are any and nothing else.

    Examples
    --------
    >>> unique_parameters([])
    Traceback (most recent call last):
    ValueError: params must hold at least one Parameter, got none
    """
    try:
        unique = list({id(parameter): parameter for parameter in params}.values())
    except TypeError:
        raise TypeError(f"params must be a list of Parameters, got {shown(params)}") from None
    for parameter in unique:
        if not isinstance(parameter, Parameter):
            raise TypeError(f"params must hold Parameters, got {shown(parameter)}")
    if not unique:
        raise ValueError("params must hold at least one Parameter, got none")
    return unique
