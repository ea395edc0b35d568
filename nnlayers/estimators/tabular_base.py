"""Base class of the estimators for tables."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_regressor
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_y, check_is_fitted

from nnlayers._core.arrays import Array, refuse_masked
from nnlayers.data import Table
from nnlayers.estimators.checks import as_row_weights, check_parameters, in_one_line
from nnlayers.estimators.table_clock import Clock, affordable_rows
from nnlayers.estimators.table_encoder import TableEncoder
from nnlayers.estimators.table_network import bin_edges, build_network
from nnlayers.estimators.table_plan import Costs, Plan
from nnlayers.estimators.table_rows import read_table
from nnlayers.estimators.table_training import (
    EncodedRows,
    HeldOutTraining,
    count_threads,
    predict_members,
    train_together,
)
from nnlayers.losses import Loss

__all__ = ["BaseTabular"]

# Rows of whole weights are repeated if that makes at most so many times as many.
_MOST_REPEATED = 4
# Rows that are worked on at a time, to save memory.
_BLOCK = 4096
# The share of a time limit in which rows are encoded, and that of the rows above which all are.
_ENCODING, _MOST_SHARE = 0.25, 0.9
# The rows and steps with which the costs of a training are found, and how many measurements are
# left for after the training.
_FEW_ROWS, _TRIALS, _MARGIN = 512, 3, 2
# A first step of more seconds compiles kernels, as happens once on a machine. The model would be a
# poor one if this took time from its training.
_COMPILING = 1.0


class BaseTabular(BaseEstimator, ABC):
    """Base class of the estimators for tables, with scikit-learn's interface.

    A subclass converts labels or values to targets of the loss, and the members' outputs to labels
    or values.
    """

    time_limit: float | None
    members: int
    random_state: Any
    engine: str

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "members": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "engine": [StrOptions({"auto", "compiled", "numpy"})],
    }

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        members: int = 16,
        random_state: Any = None,
        engine: str = "auto",
    ) -> None:
        self.time_limit = time_limit
        self.members = members
        self.random_state = random_state
        self.engine = engine

    @abstractmethod
    def _prepare(self, y: Array) -> tuple[Array, Array, Loss]:
        """Return y as targets of the loss, the groups to hold out alike, and the loss."""

    @property
    @abstractmethod
    def _outputs(self) -> int:
        """The number of outputs of a member."""

    @abstractmethod
    def _measure(self, outputs: Array, rows: EncodedRows) -> float:
        """Return the loss of the members' outputs for held-out rows."""

    @abstractmethod
    def _finish(self, outputs: Array, rows: EncodedRows, folds: Array) -> None:
        """Learn from the held-out rows what the predictions need besides."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X and y.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array-like, shape (n_samples, n_features)
            The rows, as they are: numbers, booleans, categories, text and dates. NaN, None and NaT
            are missing values.
        y : array-like, shape (n_samples,)
            Labels or values.
        sample_weight : array-like of numbers of at least 0, shape (n_samples,), optional
            Weights of rows in the loss. A row of weight 0 has no influence.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are fewer than two rows, lengths differ, a number is infinite, or y does not
            fit.
        TypeError
            If X is a sparse matrix or holds something else than numbers, text and dates.
        """
        limit = None if self.time_limit is None else float(self.time_limit)
        clock = Clock(perf_counter(), limit)
        table, categories = read_table(self, X, is_training=True)
        y = self._check_targets(y, len(table))
        weight = self._check_weights(sample_weight, table)
        if weight is not None:
            table, y, weight = _weighted_rows(table, y, weight)
        if len(table) < 2:
            raise ValueError(f"at least 2 rows are needed to train on, got n_samples={len(table)}")
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        chosen = self._choose_rows(table, categories, y, clock, np.random.default_rng(seed))
        if chosen is not None:
            weight = None if weight is None else weight[chosen]
            table, y = table.rows(chosen), y[chosen]
        self._encoder = TableEncoder()
        x = self._encoder.fit_encode(table, categories)
        order = _order(x, y)
        x, y, weight = x[order], y[order], None if weight is None else weight[order]
        target, groups, loss = self._prepare(y)
        self._train(EncodedRows(x, target, weight), groups, loss, clock, seed)
        return self

    def _choose_rows(
        self,
        table: Table,
        categories: set[str],
        y: Array,
        clock: Clock,
        rng: np.random.Generator,
    ) -> Array | None:
        """Return the indices of the rows to train on; None for all, if the time is enough."""
        count = affordable_rows(table, categories, _ENCODING * clock.left, rng)
        if count > _MOST_SHARE * len(table):
            return None
        chosen = rng.choice(len(table), count, replace=False)
        if not is_regressor(self):  # One row of each class, at least.
            chosen = np.concatenate([chosen, np.unique(y, return_index=True)[1]])
        return np.unique(chosen)

    def _train(self, rows: EncodedRows, groups: Array, loss: Loss, clock: Clock, seed: int) -> None:
        plan, encoder = self._plan(rows), self._encoder
        numbers = rows.x[:, : encoder.numbers]
        edges = bin_edges(numbers, plan.sizes[0].bins, np.random.default_rng(seed))

        def start(index: int, train: EncodedRows, held_out: EncodedRows) -> HeldOutTraining:
            """Return the training of the network of an index."""
            rng, size = np.random.default_rng([seed, index]), plan.size_of(index)
            network = build_network(edges, encoder.flags, encoder.levels, self._outputs, size, rng)
            return HeldOutTraining(network, loss, train, held_out, plan.schedule, rng, self.engine)

        if clock.is_limited:
            plan = self._shorten(plan, rows, start, clock)
        parts = list(held_out_parts(groups, plan, np.random.default_rng(seed)))
        trainings = []
        for index, held_out in enumerate(parts):
            rest = np.setdiff1d(np.arange(len(rows)), held_out, assume_unique=True)
            trainings.append(start(index, rows.take(rest), rows.take(held_out)))
        together = rows.take(np.concatenate(parts))
        self.losses_, best = train_together(
            trainings,
            plan.schedule,
            clock,
            lambda outputs: self._measure(np.concatenate(outputs), together),
        )
        folds = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        self.networks_ = [training.average for training in trainings]
        self._finish(np.concatenate(best), together, folds)

    def _shorten(
        self, plan: Plan, rows: EncodedRows, start: Callable[..., HeldOutTraining], clock: Clock
    ) -> Plan:
        """Return the plan for the time that is left, and reserve that of the last measurement."""
        few = rows.take(np.arange(min(len(rows), _FEW_ROWS)))
        times = [perf_counter()]
        training, untimed = start(0, few, few), Clock(times[0], None)
        for until in (1, 1 + _TRIALS):  # The first step loads what the others find in memory.
            training.run(until, untimed)
            times.append(perf_counter())
        self._measure(training.predict_held_out(), few)
        times.append(perf_counter())
        first, steps, measurement = np.diff(times).tolist()
        if first > _COMPILING:
            clock.extend(first)
        costs, threads = Costs(steps / _TRIALS, measurement / len(few)), count_threads()
        plan = plan.within(clock.left, len(rows), costs, threads)
        rounds = math.ceil(plan.networks / threads)
        clock.reserve(_MARGIN * rounds * costs.row * len(rows) / plan.parts)
        return plan

    def _plan(self, rows: EncodedRows) -> Plan:
        """Return the sizes of the networks and of their training."""
        members = int(self.members)
        return Plan.for_rows(len(rows), self._encoder.numbers, members, is_regressor(self))

    def _predict_members(self, X: Any) -> Array:
        """Return the outputs of all members of all networks, (rows, members, outputs)."""
        check_is_fitted(self, "networks_")
        table, _ = read_table(self, X, is_training=False)
        x = self._encoder.encode(table)
        return np.concatenate([predict_members(network, x) for network in self.networks_], axis=1)

    def _check_targets(self, y: Any, rows: int) -> Array:
        refuse_masked(y, "y")
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        with in_one_line():
            y = _check_y(y, y_numeric=is_regressor(self), estimator=self)
            check_consistent_length(np.empty(rows), y)
        return np.asarray(y)

    def _check_weights(self, sample_weight: Any, table: Table) -> Array | None:
        if sample_weight is None:
            return None
        weight = as_row_weights(sample_weight, np.empty((len(table), 1)))
        if not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weight

    def _validate_params(self) -> None:
        """Check the parameters, as scikit-learn's decorator of `fit` asks for."""
        parameters = self.get_params(deep=False)
        check_parameters(type(self).__name__, parameters, self._parameter_constraints)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _weighted_rows(table: Table, y: Array, weight: Array) -> tuple[Table, Array, Array | None]:
    """Return the rows that count, repeated as often as their weights say if these are whole."""
    is_whole = bool((weight == np.floor(weight)).all()) and weight.sum() <= _MOST_REPEATED * len(y)
    if is_whole:
        rows = np.repeat(np.arange(len(y)), weight.astype(np.intp))
        return table.rows(rows), y[rows], None
    rows = np.flatnonzero(weight)
    return table.rows(rows), y[rows], weight[rows]


def _order(x: Array, y: Array) -> Array:
    """Return an order of the rows that depends on their values alone."""
    direction = np.random.default_rng(0).normal(size=x.shape[1])
    position = np.concatenate(
        [(x[start : start + _BLOCK] * direction).sum(axis=1) for start in range(0, len(x), _BLOCK)]
    )
    order: Array = np.lexsort((np.unique(y, return_inverse=True)[1], position))
    return order


def held_out_parts(groups: Array, plan: Plan, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the indices of the rows that each network leaves out, with a share of each group.

    Examples
    --------
    >>> plan = Plan.for_rows(10, numbers=1, members=1, is_regression=False)
    >>> groups, rng = np.array([0, 1] * 5), np.random.default_rng(0)
    >>> [groups[part].tolist() for part in held_out_parts(groups, plan, rng)]
    [[0, 1], [0, 1], [0, 1], [0, 1], [0, 1]]
    """
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    for index in range(plan.networks):
        yield order[index :: plan.parts]
