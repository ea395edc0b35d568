"""One epoch of training, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers.data import batches
from nnlayers.training.callbacks import Callback
from nnlayers.training.callbacks.base import hooks
from nnlayers.training.divergence import QUIET, all_finite, divergence_error
from nnlayers.training.rows import Indices, Rows
from nnlayers.training.signals import DelayedSignals

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Epoch"]


class Epoch:
    """The batches of one epoch, and the losses and outputs of their steps.

    Parameters
    ----------
    trainer : Trainer
        The trainer, whose model is trained.
    rows : Rows
        The rows to train on.
    batch_size : int
        The number of rows of a step; the last step may have fewer.
    rng : numpy.random.Generator or None
        Draws the order of the rows; without it they keep theirs.
    signals : DelayedSignals
        Lets signals end the epoch between two steps.
    callbacks : iterable of Callback
        Those of the fit, of which some may act at each step.
    """

    def __init__(
        self,
        trainer: Trainer,
        rows: Rows,
        batch_size: int,
        rng: np.random.Generator | None,
        signals: DelayedSignals,
        callbacks: Iterable[Callback],
    ) -> None:
        self.trainer, self.rows = trainer, rows
        self._batches = batches(len(rows), batch_size, rng)
        self._signals = signals
        self._before = hooks(callbacks, "on_step_start")
        self._after = hooks(callbacks, "on_step_end")
        self._meter = trainer._task.meter()

    def run(self) -> dict[str, float]:
        """Train on each batch once; return the loss and the metrics of these steps."""
        with np.errstate(**QUIET):
            for batch in self._batches:
                indices = self.rows.indices(batch)
                for start in self._before:
                    start(self.trainer)
                x, output = self._run_step(indices)
                for end in self._after:
                    end(self.trainer)
        self._check_weights(x, output, indices)
        row: dict[str, float] = self._meter.result()
        return row

    def _run_step(self, indices: Indices) -> tuple[Any, Any]:
        """Train on one batch; return the inputs and the output."""
        trainer, rows = self.trainer, self.rows
        x, (y, weight) = rows.inputs(indices), rows.targets(indices)
        try:
            value, output = self._signals.run(trainer._step, x, y, weight, indices)
        except ValueError:
            # An invalid target is reported by its row in the batch. Measuring all rows raises the
            # same error with its row in y.
            trainer._measure(rows.unselected())
            raise
        self._meter.add(value, output, y, weight)
        return x, output

    def _check_weights(self, x: Any, output: Any, indices: Indices) -> None:
        """Raise an error if the last step has made a weight overflow.

        The gradient of a finite loss may do so. The next step would notice, but there is none after
        the last.
        """
        optimizer = self.trainer.optimizer
        if not all_finite(parameter.value for parameter in optimizer.params):
            cause = self.trainer._task.explain(x, output, indices)
            raise divergence_error(self.trainer, cause, optimizer.steps)
