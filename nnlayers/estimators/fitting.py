"""Fit a network by mini-batches, epoch after epoch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.estimators.fit_run import FitRun
from nnlayers.estimators.networks import (
    Data,
    is_finite,
)
from nnlayers.estimators.objectives import is_penalized
from nnlayers.estimators.solvers import (
    check_finite_result,
    warn_of_convergence,
)
from nnlayers.layer import Layer
from nnlayers.training.signals import DelayedSignals

__all__ = ["BatchFit", "Records"]

# The number of rows whose loss is compared before and after a fit.
PROBE = 1000


@dataclass
class Records:
    """Losses, scores and best weights of all epochs since the network was built."""

    losses: list[float] = field(default_factory=list)
    scores: list[float] | None = None
    best_loss: float | None = None
    best_score: float | None = None
    best_state: dict[str, Array] | None = None
    stale_epochs: int = 0
    rows_seen: int = 0

    def start_fit(self, network: Layer, early_stopping: bool, has_scores: bool) -> None:
        """Prepare for a fit, which may continue an earlier one."""
        if early_stopping:
            self.best_loss = None
            self.best_state = self.best_state or network.state_dict()
        elif self.best_loss is None:
            self.best_loss = math.inf
        if has_scores and self.scores is None:
            self.scores = []
            self.best_score = -math.inf

    def add_score(self, score: float, network: Layer, early_stopping: bool) -> None:
        """Append a score and, with early stopping, store the weights if it is the best."""
        assert self.scores is not None
        assert self.best_score is not None
        self.scores.append(score)
        if score > self.best_score:
            self.best_score = score
            if early_stopping:
                self.best_state = network.state_dict()

    def count_stale(self, is_stale: bool) -> None:
        """Count the epochs in a row that were not better than the ones before."""
        self.stale_epochs = self.stale_epochs + 1 if is_stale else 0


@dataclass
class BatchFit:
    """One call of an estimator's `fit` or `partial_fit`.

    Attributes
    ----------
    settings : BaseMLP
        The estimator, whose parameters are the settings of the fit.
    run : FitRun
        Its optimizer, callbacks and history.
    records : Records
        Its losses and scores, which the fit extends.
    output : callable
        Returns the network's output for inputs.
    score : callable
        Returns the score of an output, given labels or values and weights.
    incremental : bool
        Whether to train for one epoch only.
    epochs : int
        The number of completed epochs.
    """

    settings: Any
    run: FitRun
    records: Records
    output: Callable[[Any], Array]
    score: Callable[[Array, Array, Array | None], float]
    incremental: bool
    epochs: int = 0

    def fit(self, train: Data, held_out: Data | None, rng: np.random.RandomState) -> None:
        """Train until loss or score no longer improve.

        Raises
        ------
        ValueError
            If the weights or the loss become infinite or NaN, or with `early_stopping` no epoch has
            a finite score.
        """
        for parameter in self.run.optimizer.params:
            parameter.zero_grad()  # A fit that ended in an error may have left gradients.
        has_scores = held_out is not None
        self.records.start_fit(self.run.model, self.settings.early_stopping, has_scores)
        with nullcontext() if self.incremental else self._warning_if_worse(train):
            self._train(train, held_out, rng)
        if self.settings.early_stopping:
            self._restore_best()

    def _train(self, train: Data, held_out: Data | None, rng: np.random.RandomState) -> None:
        settings, run = self.settings, self.run
        order = np.arange(len(train)) if settings.shuffle else None
        batch_size = _batch_size(settings.batch_size, len(train))
        loss = 0.0
        run.stopped = False
        run.model.train()
        with DelayedSignals() as signals, ExitStack() as at_the_end:
            for callback in reversed(run.callbacks):
                at_the_end.callback(callback.on_fit_end, run)
            for callback in run.callbacks:
                callback.on_fit_start(run)
            try:
                while True:
                    for callback in run.callbacks:
                        callback.on_epoch_start(run)
                    if order is not None:
                        order = order[rng.permutation(len(order))]
                    loss = run.train_epoch(train, order, batch_size, settings.alpha, signals)
                    signals.run(self._record_epoch, loss, len(train), held_out)
                    for callback in run.callbacks:
                        callback.on_epoch_end(run)
                    if self._is_over(loss):
                        break
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
            finally:
                run.release_data()
            # This precedes the end of the fit, where callbacks may restore earlier weights.
            check_finite_result(loss, run.optimizer.params)

    def _record_epoch(self, loss: float, rows: int, held_out: Data | None) -> None:
        """Record loss and score, and count the epochs that are not better than the best."""
        settings, records = self.settings, self.records
        self.epochs += 1
        records.rows_seen += rows
        records.losses.append(loss)
        row = {"loss": loss}
        if settings.verbose:
            print(f"Iteration {self.epochs}, loss = {loss:.8f}")
        best_score = records.best_score
        if held_out is not None:
            row |= self._validate(held_out)
        if settings.early_stopping:
            records.count_stale(row["val_score"] < best_score + settings.tol)
        else:
            assert records.best_loss is not None
            records.count_stale(loss > records.best_loss - settings.tol)
            records.best_loss = min(records.best_loss, loss)
        if settings.solver == "sgd" and settings.learning_rate == "invscaling":
            divisor = (records.rows_seen + 1) ** settings.power_t
            self.run.optimizer.lr = settings.learning_rate_init / divisor
        self.run.history.append(row)

    def _validate(self, held_out: Data) -> dict[str, float]:
        """Record the score of the rows held out, and return the columns of the history."""
        output = self.output(held_out.X)
        score = self.score(output, held_out.y, held_out.weight)
        self.records.add_score(score, self.run.model, self.settings.early_stopping)
        if self.settings.verbose:
            print(f"Validation score: {score:f}")
        row = {"val_score": score}
        if self.run.callbacks:
            row["val_loss"] = self.run.loss_of(output, held_out)
        return row

    def _is_over(self, loss: float) -> bool:
        """Return whether the fit ends here: no longer better, diverged, or out of epochs."""
        settings, run = self.settings, self.run
        if self.records.stale_epochs > settings.n_iter_no_change:
            if self._stops():
                return True
            self.records.stale_epochs = 0
        if self.incremental or not (math.isfinite(loss) or is_finite(run.optimizer.params)):
            return True
        if run.stopped or self.epochs < settings.max_iter:
            return run.stopped
        warn_of_convergence(
            f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )
        return True

    def _stops(self) -> bool:
        """Return whether a fit that gets no better ends, or lower its learning rate."""
        settings, optimizer = self.settings, self.run.optimizer
        quantity = "Validation score" if settings.early_stopping else "Training loss"
        message = (
            f"{quantity} did not improve more than tol={settings.tol:f} "
            f"for {settings.n_iter_no_change} consecutive epochs."
        )
        is_adaptive = settings.learning_rate == "adaptive" and settings.solver != "adam"
        ends = not is_adaptive or optimizer.lr <= 1e-6
        if not ends:
            optimizer.lr /= 5
            message += f" Setting learning rate to {optimizer.lr:f}"
        elif is_adaptive:
            message += " Learning rate too small. Stopping."
        else:
            message += " Stopping."
        if settings.verbose:
            print(message)
        return ends

    def _restore_best(self) -> None:
        records = self.records
        if self.epochs and records.best_score == -math.inf:
            assert records.scores is not None
            raise ValueError(
                "early_stopping needs an epoch with a finite validation score, got "
                f"{records.scores[-1]} in the last of {self.epochs}"
            )
        assert records.best_state is not None
        self.run.model.load_state_dict(records.best_state)

    @contextmanager
    def _warning_if_worse(self, train: Data) -> Iterator[None]:
        """Warn if a fit makes the loss of its first rows ten times as large as before."""
        rows = train.take(np.arange(min(len(train), PROBE)))

        def penalized_loss() -> float:
            params = self.run.optimizer.params
            matrices = [p.value.ravel() for p in params if is_penalized(p)]
            squares = sum(float(w.dot(w)) for w in matrices)
            penalty: float = self.settings.alpha / 2 / len(train) * squares
            return self.run.loss_of(self.output(rows.X), rows) + penalty

        before = penalized_loss()
        yield
        after = penalized_loss()
        if not after <= 10 * (before + self.settings.tol):
            warn_of_convergence(
                f"Stochastic Optimizer: the loss of {len(rows)} rows rose from {before:g} to "
                f"{after:g}. A lower learning_rate_init or scaled data may help."
            )


def _batch_size(batch_size: Any, rows: int) -> int:
    if batch_size == "auto":
        return min(200, rows)
    if batch_size > rows:
        warnings.warn(
            f"Got `batch_size` {batch_size}, larger than the {rows} samples. "
            "It is going to be clipped.",
            stacklevel=2,
        )
    return min(int(batch_size), rows)
