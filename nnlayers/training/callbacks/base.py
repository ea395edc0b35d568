"""Base class of callbacks, and callbacks made of functions."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_instance, is_iterable
from nnlayers._core.constructors import constructor_repr
from nnlayers._core.display import html_of_object
from nnlayers._core.showing import shown
from nnlayers._core.state import check_names

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Callback", "LambdaCallback", "Pauses", "hooks", "list_callbacks"]


def list_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    """Return a user's callbacks as a list; raise ``TypeError`` unless they are callbacks."""
    if not is_iterable(callbacks):
        raise TypeError(f"callbacks must be a list of callbacks, got {shown(callbacks)}")
    listed = list(callbacks)
    for index, callback in enumerate(listed):
        check_instance(f"callbacks[{index}]", callback, Callback)
    return listed


def hooks(callbacks: Iterable[Callback], name: str) -> list[Callable[[Trainer], Any]]:
    """Return the methods of a name that callbacks override, ready to be called.

    Examples
    --------
    >>> report = LambdaCallback(on_step_end=print)
    >>> hooks([report, Callback()], "on_step_end"), hooks([report], "on_step_start")
    ([<built-in function print>], [])
    """
    default = getattr(Callback, name)
    methods = [getattr(callback, name) for callback in callbacks]
    return [method for method in methods if getattr(method, "__func__", method) is not default]


class Callback:
    """Base class of callbacks. Each method does nothing until a subclass overrides it.

    A callback reads ``trainer.history``, whose last row belongs to the epoch that has just ended,
    and ``trainer.step_loss``, the loss of the step that has just ended, and may call
    ``trainer.stop()``. Methods that no callback overrides cost nothing. If it has to continue after
    a resume where it left off, it defines :meth:`state_dict` and :meth:`load_state_dict`.

    Attributes
    ----------
    is_observer : bool
        Whether it freezes no parameter and changes no layer, so that a fit need not look for that
        before each epoch; a class attribute.

    Examples
    --------
    >>> class StopAtTarget(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         if trainer.history.last["loss"] < 0.1:
    ...             trainer.stop()
    """

    is_observer: ClassVar[bool] = False

    def on_fit_start(self, trainer: Trainer) -> None:
        """Run before the first epoch of a fit."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Run before each epoch."""

    def on_step_start(self, trainer: Trainer) -> None:
        """Run before each step of a fit: before the forward pass of a batch."""

    def on_step_end(self, trainer: Trainer) -> None:
        """Run after each step of a fit: after the change of the weights."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Run after each epoch, when its row of the history is complete."""

    def epochs_to_call(self, trainer: Trainer) -> int:
        """Return the number of epochs after which :meth:`on_epoch_end` is needed, at least 1.

        Where no callback, metric, validation or schedule looks in between, the compiled engine runs
        short epochs in one call. Of these only the first has :meth:`on_epoch_start` and the last
        :meth:`on_epoch_end`; the history has the rows of all. There may be fewer than asked for.
        """
        return 1

    def on_pause(self, trainer: Trainer) -> None:
        """Run where training can be continued from: between steps, and after each epoch.

        Unlike :meth:`on_step_end` it leaves the steps to the compiled engine, which pauses after
        at most :meth:`steps_to_pause` steps, or about a tenth of a second; NumPy pauses after each
        step. An epoch ends with a pause after ``on_epoch_end`` of all callbacks.
        """

    def steps_to_pause(self, trainer: Trainer) -> int | None:
        """Return the number of steps after which :meth:`on_pause` is needed, None if any is right.

        It is at least 1.
        """
        return None

    def on_fit_end(self, trainer: Trainer) -> None:
        """Run when a fit ends, even if it fails or a callback could not start."""

    def state_dict(self) -> dict[str, Array]:
        """Return the state to resume from as arrays by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing or unknown.
        """
        check_names(self, (), state)

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        return constructor_repr(self)

    def _repr_html_(self) -> str:
        return html_of_object(self)


class LambdaCallback(Callback):
    """Call functions with the trainer.

    Parameters
    ----------
    on_epoch_end, on_fit_start, on_fit_end, on_epoch_start, on_step_start, on_step_end : callable, \
optional
        ``function(trainer)``.

    Raises
    ------
    TypeError
        If an argument is not callable.

    Examples
    --------
    >>> report = LambdaCallback(lambda trainer: print(trainer.history.last))
    """

    def __init__(
        self,
        on_epoch_end: Callable[[Trainer], Any] | None = None,
        on_fit_start: Callable[[Trainer], Any] | None = None,
        on_fit_end: Callable[[Trainer], Any] | None = None,
        on_epoch_start: Callable[[Trainer], Any] | None = None,
        on_step_start: Callable[[Trainer], Any] | None = None,
        on_step_end: Callable[[Trainer], Any] | None = None,
    ) -> None:
        functions = {
            "on_epoch_end": on_epoch_end,
            "on_fit_start": on_fit_start,
            "on_fit_end": on_fit_end,
            "on_epoch_start": on_epoch_start,
            "on_step_start": on_step_start,
            "on_step_end": on_step_end,
        }
        for name, function in functions.items():
            if function is not None:
                if not callable(function):
                    raise TypeError(
                        f"{name} must be a function of the trainer, got {shown(function)}"
                    )
                setattr(self, name, function)


class Pauses:
    """The calls of ``on_pause`` of callbacks; false if no callback has one.

    Parameters
    ----------
    callbacks : sequence of Callback
        The callbacks.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._hooks = hooks(callbacks, "on_pause")
        self._steps = hooks(callbacks, "steps_to_pause")

    def steps_left(self, trainer: Trainer) -> int:
        """Return the largest number of steps until the next pause."""
        wanted = [steps(trainer) for steps in self._steps]
        return min((steps for steps in wanted if steps is not None), default=sys.maxsize)

    def run(self, trainer: Trainer) -> None:
        """Call ``on_pause`` of each callback."""
        for pause in self._hooks:
            pause(trainer)

    def __bool__(self) -> bool:
        return bool(self._hooks)
