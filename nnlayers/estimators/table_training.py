"""Train networks that each leave some rows out, side by side, and keep the best weights of all."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import threadpoolctl

from nnlayers._core.arrays import Array
from nnlayers.estimators.table_clock import Clock
from nnlayers.layer import Layer
from nnlayers.layers import Sequential
from nnlayers.losses import EnsembleLoss, Loss
from nnlayers.optim import SGD, AdamW
from nnlayers.training import Trainer

__all__ = [
    "EncodedRows",
    "HeldOutTraining",
    "TrainingSettings",
    "count_threads",
    "predict_members",
    "train_together",
]

# The most rows, and about the number of features, that are predicted at a time, so that their codes
# and hidden layers stay in the cache.
_BLOCK, _FEATURES = 512, 6400
# The steps after which one network waits for the others, so that the end of the time finds all of
# them equally far.
_ROUND = 20
# The steps that are done even if the time is over.
_FEWEST_STEPS = 10


@dataclass(frozen=True)
class EncodedRows:
    """Encoded rows, their targets as the loss takes them, and their weights."""

    x: Array
    target: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Array) -> EncodedRows:
        """Return the rows of these indices."""
        weight = None if self.weight is None else self.weight[indices]
        return EncodedRows(self.x[indices], self.target[indices], weight)


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Parameters
    ----------
    steps : int
        The largest number of steps.
    batch_size : int
        The number of rows of a step.
    lr : float
        The largest learning rate, from which it falls to zero along a cosine.
    weight_decay : float
        The weight decay of AdamW.
    measurements : int
        The number of times at which the held-out rows are measured, at equal distances.
    patience : int
        The number of measurements without improvement after which the training ends.
    """

    steps: int
    batch_size: int
    lr: float
    weight_decay: float
    measurements: int = 40
    patience: int = 12


class HeldOutTraining:
    """Training of one network on some rows, which is measured on those that it does not see.

    Parameters
    ----------
    network : Sequential
        The network, of output (rows, members, outputs).
    loss : Loss
        The loss of a member.
    train, held_out : EncodedRows
        The rows to train on, and those to measure.
    schedule : TrainingSettings
        The settings.
    rng : numpy.random.Generator
        The source of the orders of the rows.
    engine : str
        The engine of the trainer.

    Attributes
    ----------
    average : Sequential
        The network with the mean of the weights over the last steps, which predicts better than the
        weights of one step.
    """

    def __init__(
        self,
        network: Sequential,
        loss: Loss,
        train: EncodedRows,
        held_out: EncodedRows,
        schedule: TrainingSettings,
        rng: np.random.Generator,
        engine: Any,
    ) -> None:
        self.average = copy.deepcopy(network)
        self._train, self._held_out, self._schedule = train, held_out, schedule
        self._optimizer = AdamW(
            network.parameters(), schedule.lr, weight_decay=schedule.weight_decay
        )
        # A loss caches what its backward pass needs, and other networks train at the same time.
        own = EnsembleLoss(copy.copy(loss))
        self._trainer = Trainer(network, own, self._optimizer, engine=engine)
        self._batches = _shuffled_batches(len(train), schedule.batch_size, rng)
        self._span = max(1, schedule.steps // schedule.measurements)
        # This optimizer makes no step: it lays the weights of the means side by side, as the other
        # does with those that are trained.
        means = SGD(self.average.parameters(), schedule.lr)
        self._means = [run.values for run in means.layout.runs]
        self._weights = [run.values for run in self._optimizer.layout.runs]
        self.keep()

    def run(self, until: int, clock: Clock) -> None:
        """Train up to a number of steps, or until the clock's time is over."""
        while self._optimizer.steps < until:
            steps = self._optimizer.steps
            progress = clock.progress(steps / self._schedule.steps)
            if steps < _FEWEST_STEPS:
                progress = min(progress, steps / _FEWEST_STEPS)
            if progress >= 1:
                return
            self._optimizer.lr = self._schedule.lr * (1 + math.cos(math.pi * progress)) / 2
            rows = self._train.take(next(self._batches))
            self._trainer.step(rows.x, rows.target, rows.weight)
            # A training that ends early has a mean over its last steps, and not over all.
            rate = 1 / min(1 + self._optimizer.steps // 8, self._span)
            for mean, weights in zip(self._means, self._weights, strict=True):
                mean += np.float32(rate) * (weights - mean)

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return self._optimizer.steps

    def predict_held_out(self) -> Array:
        """Return the outputs for the held-out rows, of shape (rows, members, outputs)."""
        return predict_members(self.average, self._held_out.x)

    def keep(self) -> None:
        """Remember the mean weights as the best."""
        self._best = [mean.copy() for mean in self._means]

    def restore(self) -> None:
        """Return to the best weights."""
        for mean, best in zip(self._means, self._best, strict=True):
            mean[...] = best


def predict_members(network: Layer, x: Array) -> Array:
    """Return the outputs of all members, of shape (rows, members, outputs)."""
    size = min(_BLOCK, max(1, _FEATURES // x.shape[1]))
    starts = range(0, max(len(x), 1), size)
    return np.concatenate([network.predict(x[start : start + size]) for start in starts])


def train_together(
    trainings: Sequence[HeldOutTraining],
    schedule: TrainingSettings,
    clock: Clock,
    measure: Callable[[list[Array]], float],
) -> tuple[list[float], list[Array]]:
    """Train all, and restore the weights with the best held-out outputs of all together.

    Parameters
    ----------
    trainings : sequence of HeldOutTraining
        The trainings.
    schedule : TrainingSettings
        Their settings.
    clock : Clock
        The clock, which may end the training.
    measure : callable
        The loss of the held-out outputs of all trainings, of which the smallest is the best.

    Returns
    -------
    list of float
        The losses, one for each measurement.
    list of ndarray
        The best held-out outputs.
    """
    losses: list[float] = []
    best_outputs: list[Array] = []
    clock.begin()
    with _workers(min(count_threads(), len(trainings))) as run:
        try:
            for stop in np.linspace(0, schedule.steps, schedule.measurements + 1)[1:]:
                _run_rounds(run, trainings, round(stop), clock)
                outputs = list(run(HeldOutTraining.predict_held_out, trainings))
                losses.append(measure(outputs))
                best = int(np.argmin(losses))
                if best == len(losses) - 1:
                    best_outputs = outputs
                    list(run(HeldOutTraining.keep, trainings))
                if len(losses) - best > schedule.patience or clock.progress(0.0) >= 1:
                    break
        except BaseException:
            clock.cancel()
            raise
    for training in trainings:
        training.restore()
    return losses, best_outputs


def _run_rounds(
    run: Callable[..., Iterable[Any]],
    trainings: Sequence[HeldOutTraining],
    stop: int,
    clock: Clock,
) -> None:
    """Train all up to a number of steps, some steps of each in turn."""
    for until in range(trainings[0].steps + _ROUND, stop + _ROUND, _ROUND):
        list(run(partial(HeldOutTraining.run, until=min(until, stop), clock=clock), trainings))


def _shuffled_batches(rows: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the indices of equally large batches, epoch after epoch in another order."""
    while True:
        yield from np.array_split(rng.permutation(rows), max(1, round(rows / size)))


def count_threads() -> int:
    """Return the number of threads in which products of matrices are computed."""
    libraries = threadpoolctl.threadpool_info()
    return max((item["num_threads"] for item in libraries if item["user_api"] == "blas"), default=1)


@contextmanager
def _workers(threads: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Yield a function like ``map`` that works in threads, each of which multiplies by itself.

    A network on each core is faster than the products of one network on all of them, because
    everything else that a step computes then runs on all cores too.
    """
    if threads == 1:
        yield map
        return
    limits = threadpoolctl.threadpool_limits(1, user_api="blas")
    with limits, ThreadPoolExecutor(threads) as pool:
        yield pool.map
