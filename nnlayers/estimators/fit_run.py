"""The steps of an estimator's fit, by the compiled engine or by NumPy."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.signals import DelayedSignals
from nnlayers.estimators.networks import Data, SparseInput, network_for, trainable_parameters
from nnlayers.estimators.objectives import PenalizedLoss, gradient
from nnlayers.estimators.solvers import NONFINITE, make_optimizer
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import NonfiniteGradientError
from nnlayers.optim.clipping import GradientBounds
from nnlayers.training import Trainer
from nnlayers.training.callbacks.base import Pauses, hooks
from nnlayers.training.engines import Engine, EngineName
from nnlayers.training.epoch import CALL_SECONDS, STEP_CALLBACKS
from nnlayers.training.fitting import FitInProgress
from nnlayers.training.rows import Rows
from nnlayers.training.task import Task

if TYPE_CHECKING:
    from nnlayers.engine import TrainingProgram

__all__ = ["EpochPlace", "FitRun"]


@dataclass
class EpochPlace:
    """The place in an epoch.

    Attributes
    ----------
    start : int
        The number of rows that were trained on.
    total : float
        The sum of the batches' losses, each times its number of rows.
    """

    start: int = 0
    total: float = 0.0

    def add(self, steps: Iterable[tuple[float, int]]) -> None:
        """Add the loss and the number of rows of each of some steps, in their order."""
        for loss, rows in steps:
            self.total += loss * rows
            self.start += rows


class FitRun(Trainer):
    """The optimizer, callbacks and history of an estimator's fit, which `partial_fit` continues.

    Parameters
    ----------
    settings : BaseMLP
        The estimator, whose parameters are the settings of the fit.
    network : Layer
        The network to train.
    loss : Loss
        The loss to minimise.
    """

    def __init__(self, settings: Any, network: Layer, loss: Loss) -> None:
        optimizer = make_optimizer(settings, trainable_parameters(network))
        callbacks = () if settings.callbacks is None else copy.deepcopy(settings.callbacks)
        # The engine of a Trainer does not know of the penalty.
        super().__init__(network, loss, optimizer, callbacks=callbacks, engine="numpy")
        self._choice: EngineName = settings.engine
        self._objective = PenalizedLoss(loss, optimizer.params)
        self._programs = self._make_engine()

    def _make_engine(self) -> Engine:
        """Return what runs the steps."""
        if self._choice != "numpy":
            # The compiled engine learns of the estimators' losses by the import.
            importlib.import_module("nnlayers.estimators.compiled")
        task = Task(self.model, self._objective, ())
        return Engine(self._choice, task, self.optimizer, GradientBounds())

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the programs, which consist of addresses in this process."""
        state = super().__getstate__()
        del state["_programs"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._programs = self._make_engine()

    @property
    def engine(self) -> Literal["compiled", "numpy"]:
        """The engine that runs the steps."""
        return self._programs.name

    def begin(self, fit: FitInProgress, alpha: float) -> None:
        """Note the fit in progress, whose place a snapshot holds, and its penalty."""
        self._fit, self._objective.alpha = fit, alpha

    def end(self) -> None:
        """Forget the fit that was in progress."""
        self._fit = None

    def train_epoch(
        self,
        data: Data,
        order: npt.NDArray[np.intp] | None,
        batch_size: int,
        signals: DelayedSignals,
        place: EpochPlace,
        pauses: Pauses,
    ) -> float:
        """Go through the rows from a place on; return the mean over all of the batches' losses."""
        before, after = hooks(self.callbacks, "on_step_start"), hooks(self.callbacks, "on_step_end")
        network = network_for(self.model, data.X)
        is_sparse = network is not self.model
        is_stepwise = bool(before or after or is_sparse)
        if is_stepwise:
            self._programs.leave_to_numpy("sparse X" if is_sparse else STEP_CALLBACKS)
        while place.start < len(data):
            most = pauses.steps_left(self)
            done = None
            if not is_stepwise:
                done = self._run_program(data, order, place.start, batch_size, most, signals)
            if not done:
                count = min(batch_size, len(data) - place.start)
                batch = slice(place.start, place.start + count)
                for hook in before:
                    hook(self)
                rows = data.batch(batch if order is None else order[batch])
                self.step_loss = signals.run(self._train_batch, network, rows)
                done = [(self.step_loss, count)]
                for hook in after:
                    hook(self)
            place.add(done)
            if place.start < len(data):
                pauses.run(self)
        return place.total / len(data)

    def _run_program(
        self,
        data: Data,
        order: npt.NDArray[np.intp] | None,
        start: int,
        batch_size: int,
        most: int,
        signals: DelayedSignals,
    ) -> list[tuple[float, int]]:
        """Do some steps from a row on in one call; return the loss and the rows of each.

        There are none where NumPy must do the next step.
        """
        program = self._program(data, batch_size, order is not None)
        if program is None:
            return []
        left = len(data) - start
        steps = min(-(-left // batch_size), program.steps_within(CALL_SECONDS), most)
        counts = np.full(steps, batch_size)
        counts[-1] = min(batch_size, left - (steps - 1) * batch_size)
        part = slice(start, start + int(counts.sum()))
        steps = signals.run(program.run, part if order is None else order[part], counts)
        if not steps:
            return []
        losses = program.results(steps)[0].tolist()
        self.step_loss = losses[-1]
        return list(zip(losses, counts[:steps].tolist(), strict=True))

    def epochs_within_call(self, data: Data, batch_size: int) -> int:
        """Return the number of epochs in random order that one call can do; 1 if none can."""
        if self.callbacks or network_for(self.model, data.X) is not self.model:
            return 1
        program = self._program(data, batch_size, is_gathered=True)
        return 1 if program is None else program.epochs_within(CALL_SECONDS, len(data))

    def train_epochs(
        self, data: Data, orders: Sequence[npt.NDArray[np.intp]], batch_size: int
    ) -> list[EpochPlace]:
        """Go through the rows once in each order, in one call; return the places in the epochs.

        There are fewer, or the last is not at the end, where NumPy must do the next step.
        """
        program = self._program(data, batch_size, is_gathered=True)
        steps = 0 if program is None else program.run_epochs(orders)
        if program is None or not steps:
            return []
        losses = program.results(steps)[0].tolist()
        self.step_loss = losses[-1]
        starts = range(0, len(data), batch_size)
        counts = [min(batch_size, len(data) - start) for start in starts]
        places = []
        for first in range(0, steps, len(counts)):
            places.append(EpochPlace())
            places[-1].add(zip(losses[first:], counts, strict=False))
        return places

    def _program(self, data: Data, batch_size: int, is_gathered: bool) -> TrainingProgram | None:
        """Return the program for some rows; None where NumPy trains."""
        rows = Rows(data.X, data.target, data.weight)
        return self._programs.program_for(rows, batch_size, is_gathered, False)

    def release_data(self) -> None:
        """Let go of the rows of a fit."""
        self._programs.release_data()

    def _train_batch(
        self,
        network: Layer | SparseInput,
        batch: tuple[Any, Array, Array | None],
    ) -> float:
        alpha = self._objective.alpha
        value = gradient(network, self.loss, self.optimizer.params, batch, alpha)
        try:
            self.optimizer.step()
        except NonfiniteGradientError as error:
            raise ValueError(NONFINITE.format("parameter weights")) from error
        return value

    def loss_of(self, output: Array, data: Data) -> float:
        """Return the loss of an output, without overwriting the cache of the run's loss."""
        loss: Loss = copy.copy(self.loss)
        return loss.forward(output, data.target, data.weight)
