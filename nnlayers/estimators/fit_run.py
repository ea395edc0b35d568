"""The steps of an estimator's fit, by the compiled engine or by NumPy."""

from __future__ import annotations

import copy
import importlib
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.estimators.networks import Data, SparseInput, network_for, trainable_parameters
from nnlayers.estimators.objectives import PenalizedLoss, gradient
from nnlayers.estimators.solvers import NONFINITE, make_optimizer
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import NonfiniteGradientError
from nnlayers.training import Trainer
from nnlayers.training.callbacks.base import hooks
from nnlayers.training.engines import Engine, EngineName
from nnlayers.training.epoch import CALL_SECONDS
from nnlayers.training.rows import Rows
from nnlayers.training.signals import DelayedSignals
from nnlayers.training.task import Task

__all__ = ["FitRun"]


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
        callbacks = copy.deepcopy(settings.callbacks or ())
        # The engine of a Trainer does not know of the penalty.
        super().__init__(network, loss, optimizer, callbacks=callbacks, engine="numpy")
        self._choice: EngineName = settings.engine
        self._objective = PenalizedLoss(loss, optimizer.params)
        self._programs = self._make_engine()
        self.stopped = False

    def _make_engine(self) -> Engine:
        """Return what runs the steps."""
        if self._choice != "numpy":
            # The compiled engine learns of the estimators' losses by the import.
            importlib.import_module("nnlayers.estimators.compiled")
        task = Task(self.model, self._objective, ())
        return Engine(self._choice, task, self.optimizer, None)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the programs, which consist of addresses in this process."""
        return {name: item for name, item in vars(self).items() if name != "_programs"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._programs = self._make_engine()

    @property
    def engine(self) -> Literal["compiled", "numpy"]:
        """What runs the steps."""
        return self._programs.name

    def stop(self) -> None:
        """End the fit after this epoch; for callbacks."""
        self.stopped = True

    def train_epoch(
        self,
        data: Data,
        order: npt.NDArray[np.intp] | None,
        batch_size: int,
        alpha: float,
        signals: DelayedSignals,
    ) -> float:
        """Go once through the rows; return the mean over them of the batches' losses."""
        before, after = hooks(self.callbacks, "on_step_start"), hooks(self.callbacks, "on_step_end")
        network = network_for(self.model, data.X)
        self._objective.alpha = alpha
        if network is not self.model and self._choice == "compiled":
            raise ValueError("engine='compiled' needs dense X, got a sparse matrix")
        is_stepwise = bool(before or after) or network is not self.model
        total, start = 0.0, 0
        while start < len(data):
            part = slice(start, len(data))
            done = 0
            if not is_stepwise:
                done, value = self._run_program(data, order, part, batch_size, signals)
            if not done:
                done = min(batch_size, len(data) - start)
                batch = slice(start, start + done)
                for hook in before:
                    hook(self)
                rows = data.batch(batch if order is None else order[batch])
                self.step_loss = signals.run(self._train_batch, network, rows, alpha)
                value = self.step_loss * done
                for hook in after:
                    hook(self)
            total, start = total + value, start + done
        return total / len(data)

    def _run_program(
        self,
        data: Data,
        order: npt.NDArray[np.intp] | None,
        part: slice,
        batch_size: int,
        signals: DelayedSignals,
    ) -> tuple[int, float]:
        """Train on rows from the start of a part in one call; return how many, and their losses.

        It is no row where NumPy must do the next step.
        """
        rows = Rows(data.X, data.target, data.weight)
        program = self._programs.program_for(rows, batch_size, order is not None, False)
        if program is None:
            return 0, 0.0
        if program.source is not data:
            program.load(data.X, data.target, data.weight)
            program.source = data
        left = part.stop - part.start
        steps = min(-(-left // batch_size), program.steps_within(CALL_SECONDS))
        counts = np.full(steps, batch_size)
        counts[-1] = min(batch_size, left - (steps - 1) * batch_size)
        part = slice(part.start, part.start + int(counts.sum()))
        steps = signals.run(program.run, part if order is None else order[part], counts)
        if not steps:
            return 0, 0.0
        losses, _ = program.results(steps)
        self.step_loss = losses[-1]
        return int(counts[:steps].sum()), float(np.dot(losses, counts[:steps]))

    def release_data(self) -> None:
        """Let go of the rows of a fit."""
        self._programs.release_data()

    def _train_batch(
        self,
        network: Layer | SparseInput,
        batch: tuple[Any, Array, Array | None],
        alpha: float,
    ) -> float:
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
