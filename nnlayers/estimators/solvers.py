"""How the estimators train: by mini-batches, or by L-BFGS on all rows."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from nnlayers._core.arrays import Array
from nnlayers.data import batches
from nnlayers.estimators.networks import SparseInput, is_finite, penalize, trained
from nnlayers.estimators.optimizers import Momentum, ScikitAdam
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import Loss
from nnlayers.optim import NonfiniteGradientError, Optimizer
from nnlayers.training import Trainer

__all__ = [
    "Data",
    "FitRun",
    "minimize_by_batches",
    "minimize_by_lbfgs",
]

# scikit-learn's words.
NONFINITE = (
    "Solver produced non-finite {}. The input data may contain large values and need to be "
    "preprocessed."
)
# Rows whose loss is compared before and after a fit.
PROBE = 1000


@dataclass(frozen=True, slots=True)
class Data:
    """Rows: inputs, labels or values as given, what the loss takes of them, and weights."""

    X: Any
    y: Array
    target: Array
    weight: Array | None

    def take(self, rows: npt.NDArray[np.intp]) -> Data:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Data(self.X[rows], self.y[rows], self.target[rows], weight)

    def batch(self, rows: npt.NDArray[np.intp] | slice) -> tuple[Any, Array, Array | None]:
        """Return inputs, targets and weights of some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        if isinstance(rows, slice) or not isinstance(self.X, np.ndarray):
            return self.X[rows], self.target[rows], weight
        # Twice as fast as X[rows].
        return self.X.take(rows, axis=0), self.target.take(rows, axis=0), weight

    def __len__(self) -> int:
        return len(self.target)


class FitRun(Trainer):
    """What goes on from one `partial_fit` to the next, and what callbacks are shown of a fit.

    Parameters
    ----------
    estimator : BaseMLP
        Whose network is trained.
    loss : Loss
        What is made small.
    """

    def __init__(self, estimator: Any, loss: Loss) -> None:
        optimizer = _optimizer(estimator, trained(estimator.network_))
        callbacks = copy.deepcopy(estimator.callbacks or ())
        super().__init__(estimator.network_, loss, optimizer, callbacks=callbacks)
        self.stopped = False

    def stop(self) -> None:
        """End the fit after this epoch; for callbacks."""
        self.stopped = True

    def epoch(
        self, data: Data, order: npt.NDArray[np.intp] | None, batch_size: int, alpha: float
    ) -> float:
        """Go once through the rows; return the mean over them of the batches' losses."""
        network = self.model if isinstance(data.X, np.ndarray) else SparseInput(self.model)
        total = 0.0
        for batch in batches(len(data), batch_size):
            assert isinstance(batch, slice)
            rows = batch if order is None else order[batch]
            value = gradient(network, self.loss, self.optimizer.params, data.batch(rows), alpha)
            try:
                self.optimizer.step()
            except NonfiniteGradientError as error:
                raise ValueError(NONFINITE.format("parameter weights")) from error
            total += value * (batch.stop - batch.start)
        return total / len(data)


def gradient(
    network: Layer | SparseInput,
    loss: Loss,
    parameters: list[Parameter],
    batch: tuple[Any, Array, Array | None],
    alpha: float,
) -> float:
    r"""Gather the gradient of :math:`\ell + \alpha \lVert W \rVert^2 / 2n`; return the value.

    n is the number of rows in the batch, or what they weigh.
    """
    x, target, weight = batch
    value = loss.forward(network.forward(x), target, weight)
    network.backward_parameters(loss.backward())
    rows = len(target) if weight is None else float(weight.sum())
    return value + penalize(parameters, alpha / rows)


def minimize_by_batches(
    estimator: Any, run: FitRun, train: Data, held_out: Data | None, incremental: bool
) -> None:
    """Train for some epochs, until loss or score no longer improve; one if `incremental`.

    Raises
    ------
    ValueError
        If the weights or the loss become infinite or NaN, or with `early_stopping` no epoch has a
        finite score.
    """
    for parameter in run.optimizer.params:
        parameter.zero_grad()  # of a step that was interrupted
    with nullcontext() if incremental else _warning_if_worse(estimator, run, train):
        _train(estimator, run, train, held_out, incremental)
    if estimator.early_stopping:
        _restore_best(estimator)


def _train(
    estimator: Any, run: FitRun, train: Data, held_out: Data | None, incremental: bool
) -> None:
    order = np.arange(len(train)) if estimator.shuffle else None
    batch_size = _batch_size(estimator.batch_size, len(train))
    estimator.n_iter_ = 0
    loss = 0.0
    run.stopped = False
    run.model.train()
    with ExitStack() as at_the_end:
        for callback in reversed(run.callbacks):
            at_the_end.callback(callback.on_fit_end, run)
        for callback in run.callbacks:
            callback.on_fit_start(run)
        try:
            while True:
                if order is not None:
                    order = order[estimator._random_state.permutation(len(order))]
                loss = run.epoch(train, order, batch_size, estimator.alpha)
                _end_epoch(estimator, run, loss, len(train), held_out)
                if _is_over(estimator, run, incremental):
                    break
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        # Callbacks may restore earlier weights at the end of a fit, which would hide this.
        _check_finite(loss, run.optimizer.params)


def _restore_best(estimator: Any) -> None:
    if estimator.n_iter_ and estimator.best_validation_score_ == -np.inf:
        raise ValueError(
            "early_stopping needs an epoch with a finite validation score, got "
            f"{estimator.validation_scores_[-1]} in the last of {estimator.n_iter_}"
        )
    estimator.network_.load_state_dict(estimator._best_state)


@contextmanager
def _warning_if_worse(estimator: Any, run: FitRun, train: Data) -> Iterator[None]:
    """Warn where a fit makes the loss of its first rows ten times what it was before."""
    rows = train.take(np.arange(min(len(train), PROBE)))

    def penalized() -> float:
        matrices = [p.value.ravel() for p in run.optimizer.params if p.value.ndim > 1]
        penalty: float = estimator.alpha / 2 / len(train) * sum(float(w.dot(w)) for w in matrices)
        return _loss(run, estimator._output(rows.X), rows) + penalty

    before = penalized()
    yield
    after = penalized()
    if not after <= 10 * (before + estimator.tol):
        _warn_of_convergence(
            f"Stochastic Optimizer: the loss of {len(rows)} rows rose from {before:g} to "
            f"{after:g}. A lower learning_rate_init or scaled data may help."
        )


def _loss(run: FitRun, output: Array, data: Data) -> float:
    """Return the loss of an output; what the run's loss keeps for backward stays."""
    return copy.copy(run.loss).forward(output, data.target, data.weight)


def minimize_by_lbfgs(estimator: Any, loss: Loss, data: Data) -> None:
    """Train on all rows at once; dropout is off and running statistics stay as they are.

    Raises
    ------
    ValueError
        If the weights or the loss become infinite or NaN.
    """
    model = estimator.network_.eval()
    network = model if isinstance(data.X, np.ndarray) else SparseInput(model)
    parameters = trained(model)
    ends = np.cumsum([parameter.size for parameter in parameters])[:-1]
    batch = data.batch(slice(None))

    def assign(values: Array) -> None:
        for parameter, part in zip(parameters, np.split(values, ends), strict=True):
            parameter.value = part.reshape(parameter.shape)

    def objective(values: Array) -> tuple[float, Array]:
        assign(values)
        model.zero_grad()
        value = gradient(network, loss, parameters, batch, estimator.alpha)
        return value, np.concatenate([parameter.grad.ravel() for parameter in parameters])

    steps = count(1)

    def report(intermediate_result: Any) -> None:
        print(f"Iteration {next(steps)}, loss = {intermediate_result.fun:.8f}")

    result = minimize(
        objective,
        np.concatenate([parameter.value.ravel() for parameter in parameters]),
        method="L-BFGS-B",
        jac=True,
        callback=report if estimator.verbose else None,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        },
    )
    assign(result.x)
    model.astype(result.x.dtype).train()  # which lets go of what forward kept: all rows
    estimator.n_iter_ = min(result.nit, estimator.max_iter)
    estimator.loss_ = float(result.fun)
    if result.status != 0:
        _warn_of_convergence(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) "
            f"(status={result.status}): {result.message}. "
            f"A larger max_iter (now {estimator.max_iter}) or scaled data may help."
        )
    _check_finite(estimator.loss_, parameters)


def _check_finite(loss: float, parameters: Iterable[Parameter]) -> None:
    if not is_finite(parameters):
        raise ValueError(NONFINITE.format("parameter weights"))
    if not math.isfinite(loss):
        raise ValueError(NONFINITE.format(f"loss, {loss}"))


def _warn_of_convergence(message: str) -> None:
    warnings.warn(message, ConvergenceWarning, stacklevel=3)


def _optimizer(estimator: Any, params: list[Parameter]) -> Optimizer:
    lr = estimator.learning_rate
    if not callable(lr):
        lr = float(estimator.learning_rate_init)
    if estimator.solver == "sgd":
        return Momentum(params, lr, estimator.momentum, estimator.nesterovs_momentum)
    if estimator.solver == "adam":
        betas = estimator.beta_1, estimator.beta_2
        return ScikitAdam(params, lr, betas, estimator.epsilon)
    make: Callable[..., Any] = estimator.solver
    optimizer = make(params, lr)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"solver must make an Optimizer from params and lr, got {optimizer!r}")
    return optimizer


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


def _end_epoch(estimator: Any, run: FitRun, loss: float, rows: int, held_out: Data | None) -> None:
    """Keep the epoch's loss and score, count epochs without a better one, call the callbacks."""
    estimator.n_iter_ += 1
    estimator.t_ += rows
    estimator.loss_ = loss
    estimator.loss_curve_.append(loss)
    row = {"loss": loss}
    best_score = estimator.best_validation_score_
    if estimator.verbose:
        print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
    if held_out is not None:
        row |= _validated(estimator, run, held_out)
    if estimator.early_stopping:
        stale = row["val_score"] < best_score + estimator.tol
    else:
        stale = loss > estimator.best_loss_ - estimator.tol
        estimator.best_loss_ = min(estimator.best_loss_, loss)
    estimator._no_improvement_count = estimator._no_improvement_count + 1 if stale else 0
    if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
        run.optimizer.lr = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
    run.history.append(row)
    for callback in run.callbacks:
        callback.on_epoch_end(run)


def _validated(estimator: Any, run: FitRun, held_out: Data) -> dict[str, float]:
    """Keep the score of the rows held out and, with `early_stopping`, the best weights."""
    output = estimator._output(held_out.X)
    score = estimator._score(output, held_out.y, held_out.weight)
    estimator.validation_scores_.append(score)
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    if score > estimator.best_validation_score_:
        estimator.best_validation_score_ = score
        if estimator.early_stopping:
            estimator._best_state = estimator.network_.state_dict()
    row = {"val_score": score}
    if run.callbacks:
        row["val_loss"] = _loss(run, output, held_out)
    return row


def _is_over(estimator: Any, run: FitRun, incremental: bool) -> bool:
    """Return whether the fit ends here: no longer better, diverged, or out of epochs."""
    if estimator._no_improvement_count > estimator.n_iter_no_change:
        if _stops(estimator, run):
            return True
        estimator._no_improvement_count = 0
    if incremental or not (math.isfinite(estimator.loss_) or is_finite(run.optimizer.params)):
        return True
    if run.stopped or estimator.n_iter_ < estimator.max_iter:
        return run.stopped
    _warn_of_convergence(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
        "optimization hasn't converged yet."
    )
    return True


def _stops(estimator: Any, run: FitRun) -> bool:
    """Return whether a fit that gets no better ends, or goes on with a lower learning rate."""
    what = "Validation score" if estimator.early_stopping else "Training loss"
    message = (
        f"{what} did not improve more than tol={estimator.tol:f} "
        f"for {estimator.n_iter_no_change} consecutive epochs."
    )
    adaptive = estimator.learning_rate == "adaptive" and estimator.solver != "adam"
    over = not adaptive or run.optimizer.lr <= 1e-6
    if not over:
        run.optimizer.lr /= 5
        message += f" Setting learning rate to {run.optimizer.lr:f}"
    elif adaptive:
        message += " Learning rate too small. Stopping."
    else:
        message += " Stopping."
    if estimator.verbose:
        print(message)
    return over
