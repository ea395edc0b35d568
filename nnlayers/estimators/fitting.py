"""Fit a network by mini-batches, epoch after epoch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from nnlayers._core.arrays import Array
from nnlayers._core.signals import DelayedSignals
from nnlayers._core.state import read_count
from nnlayers.estimators.fit_run import EpochPlace, FitRun
from nnlayers.estimators.networks import Data, is_finite
from nnlayers.estimators.objectives import is_penalized
from nnlayers.estimators.records import Records
from nnlayers.estimators.solvers import (
    check_finite_result,
    warn_of_convergence,
)
from nnlayers.training.callbacks.base import Pauses
from nnlayers.training.callbacks.progress import Progress, show_progress
from nnlayers.training.checkpoint_files import SavedState
from nnlayers.training.fit_settings import describe_array, describe_value
from nnlayers.training.fitting import resume_fit, start_callbacks
from nnlayers.training.generators import dump_generator, load_generator
from nnlayers.training.rows import Rows
from nnlayers.training.state import join_states, split_state

__all__ = ["BatchFit", "first_generator"]

# The number of rows whose loss is compared before and after a fit.
PROBE = 200
# The parameters that may differ when a fit is resumed.
FREE_PARAMETERS = {"callbacks", "engine", "max_iter", "random_state", "verbose", "warm_start"}


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
    start : ndarray or None
        The state of the generator before the fit drew anything, for a checkpoint.
    epochs : int
        The number of completed epochs.
    """

    settings: Any
    run: FitRun
    records: Records
    output: Callable[[Any], Array]
    score: Callable[[Array, Array, Array | None], float]
    incremental: bool
    start: Array | None = None
    epochs: int = 0
    _has_ended: bool = False
    _order: npt.NDArray[np.intp] | None = None
    _place: EpochPlace | None = None

    def fit(
        self,
        train: Data,
        held_out: Data | None,
        rng: np.random.RandomState,
        saved: SavedState | None = None,
    ) -> None:
        """Train until loss or score no longer improve, or the rest of a fit that was killed.

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
        self._train_rows, self._held_out, self._rng = train, held_out, rng
        self._order = np.arange(len(train)) if self.settings.shuffle else None
        self.run.begin(self, self.settings.alpha)
        self.run.is_stopping = False
        try:
            with nullcontext() if self.incremental else self._warning_if_worse(train):
                if saved is not None:
                    resume_fit(self.run, self, saved)
                self._train(train, held_out, rng)
        finally:
            self.run.end()
        if self.settings.early_stopping:
            self._restore_best()

    def _train(self, train: Data, held_out: Data | None, rng: np.random.RandomState) -> None:
        settings, run = self.settings, self.run
        batch_size = _batch_size(settings.batch_size, len(train))
        loss = self.records.losses[-1] if self.epochs else 0.0
        run.model.train()
        pauses = Pauses(run.callbacks)
        progress: dict[Any, Progress] = {"bar": True, "log": "log"}
        shown = show_progress(progress.get(settings.verbose, False), self.epochs_left)
        callbacks = [*run.callbacks, *shown]
        with DelayedSignals() as signals, ExitStack() as at_the_end:
            start_callbacks(run, callbacks, at_the_end)
            try:
                while self._place or (self.epochs_left and not run.is_stopping):
                    is_free = not (self._place or shown)
                    if is_free and signals.run(self._join_epochs, train, batch_size, rng):
                        loss = self.records.losses[-1]
                        continue
                    place = self._place or self._start_epoch(rng)
                    loss = run.train_epoch(train, self._order, batch_size, signals, place, pauses)
                    signals.run(self._record_epoch, loss, len(train), held_out)
                    for callback in callbacks:
                        callback.on_epoch_end(run)
                    self._note_end(loss)
                    pauses.run(run)
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
            finally:
                run.release_data()
            # This precedes the end of the fit, where callbacks may restore earlier weights.
            check_finite_result(loss, run.optimizer.params)

    def _start_epoch(self, rng: np.random.RandomState) -> EpochPlace:
        """Start an epoch, and return its place."""
        for callback in self.run.callbacks:
            callback.on_epoch_start(self.run)
        if self._order is not None:
            self._order = self._order[rng.permutation(len(self._order))]
        self._place = place = EpochPlace()
        return place

    def _join_epochs(self, train: Data, batch_size: int, rng: np.random.RandomState) -> bool:
        """Train several epochs in one call, if nothing can end the fit between; say whether so."""
        settings, order = self.settings, self._order
        changes_lr = settings.solver == "sgd" and settings.learning_rate == "invscaling"
        if order is None or changes_lr or self._held_out is not None:
            return False
        # The loss must be no better in more epochs than these, one after another, to end the fit.
        most = min(self.epochs_left, settings.n_iter_no_change + 1 - self.records.stale_epochs)
        epochs = min(most, self.run.epochs_within_call(train, batch_size)) if most > 1 else 1
        if epochs < 2:
            return False
        before, orders = rng.get_state(legacy=False), []
        for _ in range(epochs):
            order = order[rng.permutation(len(order))]
            orders.append(order)
        places = self.run.train_epochs(train, orders, batch_size)
        whole = [place for place in places if place.start == len(train)]
        for place in whole:
            loss = place.total / len(train)
            self._record_epoch(loss, len(train), None)
            self._note_end(loss)
        self._order = orders[-1]
        if len(whole) < epochs:
            # The next epoch goes on where the call has ended.
            rng.set_state(before)
            for _ in range(len(whole) + 1):
                rng.permutation(len(order))
            self._order = orders[len(whole)]
            self._place = places[-1] if len(places) > len(whole) else EpochPlace()
        return True

    @property
    def _prints_epochs(self) -> bool:
        """Whether to print each epoch as scikit-learn does."""
        return bool(self.settings.verbose) and not isinstance(self.settings.verbose, str)

    @property
    def epochs_left(self) -> int:
        """The number of epochs that may follow."""
        if self._has_ended:
            return 0
        return max(0, (1 if self.incremental else self.settings.max_iter) - self.epochs)

    @property
    def rows(self) -> Rows | None:
        """The rows that are trained on; None for sparse ones."""
        data = self._train_rows
        is_dense = isinstance(data.X, np.ndarray)
        return Rows(data.X, data.target, data.weight) if is_dense else None

    @cached_property
    def description(self) -> dict[str, str]:
        """Return what must be the same when the fit is resumed, as texts by name."""
        parameters = self.settings.get_params(deep=False)
        texts = {n: describe_value(p) for n, p in parameters.items() if n not in FREE_PARAMETERS}
        for part, data in (("", self._train_rows), ("held-out ", self._held_out)):
            if data is not None:
                arrays = {"X": data.X, "y": data.target, "sample_weight": data.weight}
                texts |= {f"{part}{name}": describe_array(a) for name, a in arrays.items()}
        return self.run.description | texts

    def state_dict(self) -> dict[str, Array]:
        """Return the place in the fit as arrays by name."""
        place = self._place
        arrays = {
            "epochs": np.array(self.epochs),
            "has_ended": np.array(self._has_ended),
            "rng": dump_generator(self._rng),
            "start": self.start,
            "order": self._order,
            "place": None if place is None else np.array([place.start, place.total]),
        }
        present = {name: array for name, array in arrays.items() if array is not None}
        return present | join_states({"records": self.records})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the place that :meth:`state_dict` returned."""
        self.records.load_state_dict(split_state(state, ["records"])[0]["records"])
        rows = len(self._train_rows)
        self.epochs, self._has_ended = read_count(state, "epochs"), bool(state["has_ended"])
        load_generator(self._rng, state["rng"], "rng")
        self._order = state.get("order")
        # Other numbers would lead the compiled engine beyond the rows.
        if self._order is not None and not np.array_equal(np.sort(self._order), np.arange(rows)):
            raise ValueError(f"state entry 'order' must hold the numbers of {rows} rows")
        if "place" in state:
            start, total = state["place"].tolist()
            self._place = EpochPlace(read_count({"place": start}, "place", rows), float(total))

    def _record_epoch(self, loss: float, rows: int, held_out: Data | None) -> None:
        """Record loss and score, and count the epochs that are not better than the best."""
        settings, records = self.settings, self.records
        self._place = None
        self.epochs += 1
        records.rows_seen += rows
        records.losses.append(loss)
        row = {"loss": loss}
        if self._prints_epochs:
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
        if self._prints_epochs:
            print(f"Validation score: {score:f}")
        row = {"val_score": score}
        if self.run.callbacks:
            row["val_loss"] = self.run.loss_of(output, held_out)
        return row

    def _note_end(self, loss: float) -> None:
        """Note whether the fit ends here: no longer better, diverged, or out of epochs."""
        settings, run = self.settings, self.run
        if self.records.stale_epochs > settings.n_iter_no_change:
            if self._stops():
                self._has_ended = True
                return
            self.records.stale_epochs = 0
        if self.incremental or run.is_stopping:
            return
        if not (math.isfinite(loss) or is_finite(run.optimizer.params)):
            self._has_ended = True
        elif not self.epochs_left:
            warn_of_convergence(
                f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the "
                "optimization hasn't converged yet."
            )

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
        if self._prints_epochs:
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


def first_generator(random_state: Any, saved: SavedState | None) -> np.random.RandomState:
    """Return the generator of all draws, as it was at the start of a fit to resume."""
    state = None if saved is None else saved.arrays.get("fit.start")
    if state is not None and not isinstance(random_state, np.random.RandomState):
        random_state = np.random.RandomState()
    generator: np.random.RandomState = check_random_state(random_state)
    if state is not None:
        load_generator(generator, state, "fit.start")
    return generator
