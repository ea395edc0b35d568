"""One epoch of training, in compiled calls where that can be, otherwise step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.signals import DelayedSignals
from nnlayers._core.state import read_count
from nnlayers.training.callbacks import Callback
from nnlayers.training.callbacks.base import Pauses, hooks
from nnlayers.training.divergence import QUIET, are_weights_finite, divergence_error
from nnlayers.training.generators import dump_generator
from nnlayers.training.rows import Indices, Rows

if TYPE_CHECKING:
    from nnlayers.engine import TrainingProgram
    from nnlayers.training.trainer import Trainer

__all__ = ["CALL_SECONDS", "STEP_CALLBACKS", "Epoch"]

# A compiled call takes about this many seconds, after which Python can handle Ctrl-C.
CALL_SECONDS = 0.1
STEP_CALLBACKS = "callbacks that act at each step"


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
        Lets signals end the epoch between two calls.
    callbacks : sequence of Callback
        The callbacks; those that look into the steps leave these to NumPy.
    pauses : Pauses
        What runs between steps.
    """

    def __init__(
        self,
        trainer: Trainer,
        rows: Rows,
        batch_size: int,
        rng: np.random.Generator | None,
        signals: DelayedSignals,
        callbacks: Sequence[Callback],
        pauses: Pauses,
    ) -> None:
        self.trainer, self.rows = trainer, rows
        self.batch_size = batch_size
        self._signals = signals
        self._pauses = pauses
        self._meter = trainer._task.meter()
        self._before = hooks(callbacks, "on_step_start")
        self._after = hooks(callbacks, "on_step_end")
        count = len(rows)
        # The order can be drawn again from this state, which takes less memory.
        self._before_order = dump_generator(rng) if rng is not None and pauses else None
        self._order = rows.indices(slice(0, count) if rng is None else rng.permutation(count))
        self._step, self._steps = 0, -(-count // batch_size)
        self._is_numpy = bool(self._before or self._after)
        if self._is_numpy:
            trainer._engine.leave_to_numpy(STEP_CALLBACKS)

    def run(self) -> dict[str, float]:
        """Train on each batch once; return the loss and the metrics of these steps."""
        steps = self._steps
        with np.errstate(**QUIET):
            while self._step < steps:
                most = min(steps - self._step, self._pauses.steps_left(self.trainer))
                program = self._program()
                if program is None or not self._run_compiled(program, most):
                    self._run_step()
                if self._step < steps:
                    self._pauses.run(self.trainer)
        self._check_weights()
        row: dict[str, float] = self._meter.result()
        return row

    def state_dict(self) -> dict[str, Array]:
        """Return what was done so far, as arrays by name; it includes no generator's state now."""
        state = {f"meter.{name}": array for name, array in self._meter.state_dict().items()}
        if self._before_order is not None:
            state["rng"] = self._before_order
        return state | {"step": np.array(self._step)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from where :meth:`state_dict` was called, of an epoch of the same order."""
        self._step = read_count(state, "step", self._steps)
        prefix = "meter."
        self._meter.load_state_dict(
            {name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)}
        )

    def _program(self) -> TrainingProgram | None:
        """Return the program for the next steps, None if NumPy does them."""
        if self._is_numpy:
            return None
        trainer, rows, is_gathered = self.trainer, self.rows, not isinstance(self._order, slice)
        try:
            program = trainer._engine.program_for(
                rows, self.batch_size, is_gathered, bool(trainer.metrics)
            )
        except ValueError:
            # Invalid data has its own error, which is more to the point, and leaves what the NumPy
            # path leaves.
            try:
                trainer._measure(rows)
            except ValueError:
                self._run_step()
                raise
            raise
        self._is_numpy = program is None
        return program

    def _indices(self, steps: int = 1) -> Indices:
        """Return the indices in X of the rows of the next steps."""
        part = slice(self._step * self.batch_size, (self._step + steps) * self.batch_size)
        order = self._order
        if isinstance(order, slice):
            return slice(part.start, min(part.stop, order.stop))
        return order[part]

    def _run_compiled(self, program: TrainingProgram, steps: int) -> int:
        """Do some of the next steps in one call; return how many, 0 if NumPy must do the next."""
        steps = min(steps, program.steps_within(CALL_SECONDS))
        indices = self._indices(steps)
        rows = _count(indices)
        counts = np.full(steps, self.batch_size)
        counts[-1] = rows - (steps - 1) * self.batch_size
        done = self._signals.run(program.run, indices, counts)
        if done:
            rows = int(counts[:done].sum())
            values, weights = program.results(done)
            self._meter.extend(values.tolist(), weights.tolist())
            self.trainer.step_loss = float(values[-1])
            if self.trainer.metrics:
                targets = self.rows.targets(_first(indices, rows))
                self._meter.add_outputs(program.outputs(rows), *targets)
            self._step += done
        return done

    def _run_step(self) -> None:
        """Do the next step with NumPy."""
        trainer, rows, indices = self.trainer, self.rows, self._indices()
        for start in self._before:
            start(trainer)
        x, (y, weight) = rows.inputs(indices), rows.targets(indices)
        try:
            value, output = self._signals.run(trainer._step, x, y, weight, indices)
        except ValueError:
            # An invalid target is reported by its row in the batch. Measuring all rows raises the
            # same error with its row in y.
            trainer._measure(rows.unselected())
            raise
        self._meter.add(value, output, y, weight)
        self._step += 1
        for end in self._after:
            end(trainer)

    def _check_weights(self) -> None:
        """Raise an error if the last step has made a weight overflow.

        The gradient of a finite loss may do so. The next step would notice, but there is none after
        the last.
        """
        optimizer = self.trainer.optimizer
        if not are_weights_finite(optimizer):
            self._step -= 1
            indices = self._indices()
            x = self.rows.inputs(indices)
            cause = self.trainer._task.explain(x, x, indices)
            raise divergence_error(self.trainer, cause, optimizer.steps)


def _count(indices: Indices) -> int:
    return indices.stop - indices.start if isinstance(indices, slice) else len(indices)


def _first(indices: Indices, count: int) -> Indices:
    """Return the first of some indices."""
    if isinstance(indices, slice):
        return slice(indices.start, indices.start + count)
    return indices[:count]
