"""One fit of a trainer: its epochs, and its state for a checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.signals import DelayedSignals
from nnlayers._core.state import read_count
from nnlayers.layer import Layer, Parameter
from nnlayers.training.callbacks import Callback
from nnlayers.training.callbacks.base import Pauses
from nnlayers.training.checkpoint_files import SavedState
from nnlayers.training.epoch import Epoch
from nnlayers.training.fit_settings import (
    check_same_settings,
    describe_rows,
    dump_settings,
    load_settings,
)
from nnlayers.training.generators import Generators, dump_generator, load_generator
from nnlayers.training.gradients import discard_gradients
from nnlayers.training.holdout import Holdout
from nnlayers.training.joined import run_joined
from nnlayers.training.rows import Rows
from nnlayers.training.state import Stateful, join_states, split_state

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = [
    "Fit",
    "FitInProgress",
    "resume_fit",
    "snapshot_of",
    "start_callbacks",
    "stateful_parts",
]


class FitInProgress(Protocol):
    """A fit, of which a checkpoint needs the place."""

    @property
    def epochs_left(self) -> int:
        """The number of epochs that are not complete."""

    @property
    def description(self) -> dict[str, str]:
        """Texts by name that must be the same when the fit is resumed."""

    @property
    def rows(self) -> Rows | None:
        """The rows that are trained on, None where they are no arrays."""

    def state_dict(self) -> dict[str, Array]:
        """Return its place as arrays by name."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the place that :meth:`state_dict` returned."""


class Fit:
    """One call of :meth:`Trainer.fit`.

    Parameters
    ----------
    trainer : Trainer
        The trainer.
    data : Rows
        All rows.
    validation : float, Rows or None
        The share of the rows to hold out, or other rows.
    epochs, batch_size : int
        The number of epochs, and of rows of a step.
    rng : numpy.random.Generator
        Source of the random orders and of the share for validation.
    shuffle : bool
        Whether each epoch visits the rows in a random order.
    """

    def __init__(
        self,
        trainer: Trainer,
        data: Rows,
        validation: Any,
        epochs: int,
        batch_size: int,
        rng: np.random.Generator,
        shuffle: bool,
    ) -> None:
        self._trainer = trainer
        self._data, self._validation = data, validation
        self.rows: Rows | None = data
        self._epochs, self._batch_size = epochs, batch_size
        self._rng, self._shuffle = rng, shuffle
        self._done = 0
        self._epoch: Epoch | None = None
        self._resumed: dict[str, Any] = {}

    @property
    def epochs_left(self) -> int:
        """The number of epochs that are not complete."""
        return max(0, self._epochs - self._done)

    def run(self, holdout: Holdout, bars: Sequence[Callback]) -> None:
        """Train the epochs that are left."""
        trainer = self._trainer
        split = holdout.split(self._data, self._validation, trainer._task, self._rng)
        self.rows = split[0]
        callbacks = [*trainer.callbacks, *bars]
        pauses = Pauses(callbacks)
        layers = trainer.model.named_layers().values()
        modes = [(layer, layer.training) for layer in layers]
        with DelayedSignals() as signals, ExitStack() as at_the_end:
            at_the_end.callback(self._clean_up, modes)
            start_callbacks(trainer, callbacks, at_the_end)
            # An epoch that was resumed in its middle is completed, even if it is the last.
            while self.epochs_left and (self._resumed or not trainer.is_stopping):
                if not self._resumed:
                    for callback in callbacks:
                        callback.on_epoch_start(trainer)
                if not all(callback.is_observer for callback in callbacks):
                    trainer.note_frozen()
                # Callbacks may have changed the mode, so it is set in every epoch.
                for layer in layers:
                    layer.training = True
                if self._resumed or not self._join_epochs(*split, signals, callbacks):
                    self._run_epoch(*split, signals, callbacks, pauses)
                if self._resumed:  # An epoch in its middle, which has to go on in another way.
                    continue
                for callback in callbacks:
                    callback.on_epoch_end(trainer)
                pauses.run(trainer)

    def _clean_up(self, modes: Sequence[tuple[Layer, bool]]) -> None:
        """Restore the layers' modes, and discard the gradients of an interrupted step."""
        for layer, training in modes:
            layer.training = training
        self._trainer._engine.release_data()
        discard_gradients(self._trainer.model, self._trainer.optimizer)

    def _join_epochs(
        self,
        rows: Rows,
        validation_rows: Rows | None,
        signals: DelayedSignals,
        callbacks: Sequence[Callback],
    ) -> bool:
        """Train several epochs in one call if nothing looks at the end of each; say whether so."""
        trainer = self._trainer
        if validation_rows is not None or trainer.metrics or not self._shuffle:
            return False
        wanted = [callback.epochs_to_call(trainer) for callback in callbacks]
        most = min(self.epochs_left, *wanted) if wanted else self.epochs_left
        if most < 2:
            return False

        def train() -> bool:
            joined = run_joined(trainer, rows, self._batch_size, self._rng, most)
            if joined is None:
                return False
            for row in joined.rows:
                trainer.history.append(row)
            self._done += len(joined.rows)
            self._resumed = joined.state
            return True

        return signals.run(train)

    def _run_epoch(
        self,
        rows: Rows,
        validation_rows: Rows | None,
        signals: DelayedSignals,
        callbacks: Sequence[Callback],
        pauses: Pauses,
    ) -> None:
        """Train one epoch, or the rest of one, and append its row to the history."""
        trainer, rng = self._trainer, self._rng if self._shuffle else None
        state, self._resumed = self._resumed, {}
        now = dump_generator(rng) if state and rng is not None else None
        if state and rng is not None:
            load_generator(rng, state["rng"], "epoch.rng")
        epoch = Epoch(trainer, rows, self._batch_size, rng, signals, callbacks, pauses)
        if state:
            epoch.load_state_dict(state)
        if now is not None:
            load_generator(rng, now, "rng")
        self._epoch = epoch
        row = epoch.run()
        self._epoch = None
        if validation_rows is not None:
            measured = trainer._measure(validation_rows)
            row |= {f"val_{name}": value for name, value in measured.items()}
        trainer.history.append(row)
        self._done += 1

    @cached_property
    def description(self) -> dict[str, str]:
        """Texts by name that must be the same when the fit is resumed."""
        description = {
            **self._trainer.description,
            "batch_size": str(self._batch_size),
            "shuffle": str(self._shuffle),
            **describe_rows(("X", "y", "sample_weight"), self._data),
        }
        if not isinstance(self._validation, Rows):
            return description | {"validation": str(self._validation)}
        names = ("validation[0]", "validation[1]", "validation[2]")
        return description | describe_rows(names, self._validation)

    def state_dict(self) -> dict[str, Array]:
        """Return the place in the fit as arrays by name, with the flags that callbacks may set."""
        trainer = self._trainer
        epoch = {} if self._epoch is None else join_states({"epoch": self._epoch})
        flags = [parameter.trainable for parameter in _parameters(trainer)]
        return epoch | {
            "rng": dump_generator(self._rng),
            "done": np.array(self._done),
            "trainable": np.array(flags, bool),
            "loss_weights": np.array([*trainer.loss_weights.values()], np.float64),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the place that :meth:`state_dict` returned."""
        trainer = self._trainer
        flags = zip(_parameters(trainer), state["trainable"].tolist(), strict=True)
        weights = zip(trainer.loss_weights, state["loss_weights"].tolist(), strict=True)
        self._done = read_count(state, "done")
        load_generator(self._rng, state["rng"], "rng")
        self._resumed = split_state(state, ["epoch"])[0]["epoch"]
        for parameter, is_trainable in flags:
            parameter.trainable = is_trainable
        trainer.loss_weights.update(weights)


def start_callbacks(trainer: Trainer, callbacks: Sequence[Callback], stack: ExitStack) -> None:
    """Call ``on_fit_start`` of callbacks; the stack calls ``on_fit_end``, the last one's first."""
    for callback in reversed(callbacks):
        stack.callback(callback.on_fit_end, trainer)
    for callback in callbacks:
        callback.on_fit_start(trainer)


def resume_fit(trainer: Trainer, fit: FitInProgress, saved: SavedState) -> None:
    """Set a trainer and its fit to a checkpoint.

    Raises
    ------
    ValueError
        If it belongs to another training.
    """
    states, others = split_state(saved.arrays, ["fit"])
    state = states["fit"]
    try:
        was = load_settings(state.pop("settings"))
        engine = str(state.pop("engine"))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{saved.path}: not a checkpoint of a fit: {error}") from None
    check_same_settings(fit.description, was, saved.path)
    try:
        is_stopping, step_loss = bool(state.pop("is_stopping")), state.pop("step_loss")
        trainer.load_state_dict(others)
        fit.load_state_dict(state)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{saved.path}: does not fit this training: {error}") from None
    trainer.is_stopping, trainer.step_loss = is_stopping, float(np.asarray(step_loss))
    if engine != trainer.engine:
        warnings.warn(
            f"{saved.path}: was trained by the engine {engine!r} and goes on with "
            f"{trainer.engine!r}, whose results are equal within rounding only",
            stacklevel=3,
        )


def snapshot_of(trainer: Trainer, fit: FitInProgress) -> dict[str, Array]:
    """Return everything that :func:`resume_fit` restores."""
    state = fit.state_dict() | {
        "settings": dump_settings(fit.description),
        "engine": np.array(trainer.engine),
        "is_stopping": np.array(trainer.is_stopping),
        "step_loss": np.array(trainer.step_loss),
    }
    return trainer.state_dict() | {f"fit.{name}": array for name, array in state.items()}


def stateful_parts(trainer: Trainer) -> dict[str, Stateful]:
    """Return the parts of a trainer whose states make up its own, by name."""
    callbacks = {f"callbacks.{i}": callback for i, callback in enumerate(trainer.callbacks)}
    others = {"loss": trainer.loss, "metrics": trainer.metrics, "optimizer": trainer.optimizer}
    return {
        "model": trainer.model,
        "optimizer": trainer.optimizer,
        "history": trainer.history,
        "generators": Generators(trainer.model, others | callbacks),
        **callbacks,
    }


def _parameters(trainer: Trainer) -> list[Parameter]:
    return list(dict.fromkeys([*trainer.model.parameters(), *trainer.optimizer.params]))
