"""Epochs of a fit that run in one call of machine code, because nothing looks in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.training.divergence import QUIET, are_weights_finite
from nnlayers.training.epoch import CALL_SECONDS
from nnlayers.training.generators import dump_generator
from nnlayers.training.metrics import mean_loss
from nnlayers.training.rows import Rows

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["JoinedEpochs", "run_joined"]


class JoinedEpochs(NamedTuple):
    """Result of epochs that ran in one call.

    Attributes
    ----------
    rows : list of dict
        The row of the history of each epoch that is complete.
    state : dict of str to ndarray
        The state of the epoch that a step or a check has to go on with, for
        :meth:`Epoch.load_state_dict <nnlayers.training.epoch.Epoch.load_state_dict>`; empty if all
        epochs are complete.
    """

    rows: list[dict[str, float]]
    state: dict[str, Array]


def run_joined(
    trainer: Trainer, rows: Rows, batch_size: int, rng: np.random.Generator, most: int
) -> JoinedEpochs | None:
    """Train at most so many epochs in one call, as one after another; None where that cannot be.

    The generator is left as it is after the order of the last epoch that was begun.
    """
    try:
        program = trainer._engine.program_for(rows, batch_size, True, False)
    except ValueError:  # An epoch on its own finds the cause.
        return None
    count = len(rows)
    epochs = 1 if program is None else min(most, program.epochs_within(CALL_SECONDS, count))
    if program is None or epochs < 2:
        return None
    before = rng.bit_generator.state
    with np.errstate(**QUIET):
        orders = [np.asarray(rows.indices(rng.permutation(count))) for _ in range(epochs)]
        done = program.run_epochs(orders)
    values, weights = program.results(done)
    if done:
        trainer.step_loss = float(values[-1])
    steps = -(-count // batch_size)
    complete, rest = divmod(done, steps)
    if complete and not rest and not are_weights_finite(trainer.optimizer):
        # The check of this epoch's weights, which comes after its last step, raises the error.
        complete, rest = complete - 1, steps
    parts = [slice(epoch * steps, (epoch + 1) * steps) for epoch in range(epochs)]
    loss = trainer._task.loss
    results = [{"loss": mean_loss(loss, values[p], weights[p])} for p in parts[:complete]]
    if complete == epochs:
        return JoinedEpochs(results, {})
    rng.bit_generator.state = before
    for _ in range(complete):
        rng.permutation(count)
    state = {
        "meter.values": values[parts[complete]],
        "meter.weights": weights[parts[complete]],
        "rng": dump_generator(rng),
        "step": np.array(rest),
    }
    rng.permutation(count)
    return JoinedEpochs(results, state)
