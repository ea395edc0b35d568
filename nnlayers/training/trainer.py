"""Training loop: forward, loss, backward, step; over batches; over epochs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import (
    as_generator,
    check_boolean,
    check_instance,
    check_integer,
    check_path,
)
from nnlayers._core.display import Described
from nnlayers._core.state import check_names
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import Loss
from nnlayers.optim import NonfiniteGradientError, Optimizer
from nnlayers.optim.clipping import GradientBounds
from nnlayers.training.callbacks import Callback
from nnlayers.training.callbacks.base import list_callbacks
from nnlayers.training.callbacks.progress import Progress, check_progress, show_progress
from nnlayers.training.checkpoint_files import read_checkpoint
from nnlayers.training.divergence import (
    QUIET,
    check_weights,
    divergence_error,
    gradient_error,
)
from nnlayers.training.engines import Engine, EngineName
from nnlayers.training.entries import entries_of
from nnlayers.training.fit_settings import describe_training
from nnlayers.training.fitting import (
    Fit,
    FitInProgress,
    resume_fit,
    snapshot_of,
    stateful_parts,
)
from nnlayers.training.gradients import refuse_replaced, split_parameters
from nnlayers.training.history import History
from nnlayers.training.holdout import Holdout
from nnlayers.training.metrics import Metric
from nnlayers.training.rows import ByName, Indices, Rows
from nnlayers.training.several import make_task
from nnlayers.training.state import join_states, load_states, split_state

__all__ = ["Trainer"]


class Trainer(Described):
    r"""Fit a model to data and record the losses and metrics of each epoch.

    One step is

    .. code-block:: python

        output = model.forward(x)
        value = loss.forward(output, y)
        model.backward(loss.backward())
        optimizer.step()

    Parameters
    ----------
    model : Layer
        Model to train.
    loss : Loss, or dict of str to Loss
        Loss to minimise; for a :class:`~nnlayers.Graph` of several outputs a loss for each by name.
        Then the loss that is minimised is their weighted sum, and the columns of the history are
        ``loss``, ``loss_<output>`` and ``<metric>_<output>``.
    optimizer : Optimizer
        Optimizer of the model's parameters.
    metrics : iterable of str or callable
        Names, such as ``"accuracy"``, ``"f1_macro"``, ``"roc_auc"``, ``"log_loss"``,
        ``"mean_absolute_error"`` or ``"r2"``, see :doc:`/reference/metrics`; or functions
        ``metric(y_true, y_pred) -> float``, such as scikit-learn's. Names become columns of the
        history. `y_true` is y as given; `y_pred` holds labels if the loss is one for classes
        (``loss.decide``), otherwise the model's outputs. Rows count by their sample weights, except
        for a function without an argument `sample_weight`. For several outputs, a dictionary by
        output, see :doc:`/howto/two_heads`.
    callbacks : iterable of Callback
        Called in this order at the start and the end of a fit, of each epoch and of each step, see
        :mod:`nnlayers.callbacks <nnlayers.training.callbacks>`.
    clip_norm : float, optional
        Largest norm of the gradient; longer gradients are scaled down, see
        :func:`~nnlayers.optim.clip_grad_norm`.
    engine : {"auto", "compiled", "numpy"}
        What runs the steps: ``"compiled"`` needs Numba and parts that it knows, see
        :doc:`/guide/engine`; ``"auto"`` uses it where it can, with results equal within rounding.
    loss_weights : dict of str to float, optional
        Weight of each output's loss, at least 0; 1 for those that it leaves out.
    clip_value : float, optional
        Largest absolute value of an entry of the gradient, instead of `clip_norm`; larger entries
        are clipped, see :func:`~nnlayers.optim.clip_grad_value`.

    Attributes
    ----------
    history : History
        Table with one row for each epoch of all fits so far.
    step_loss : float
        The loss of the last step, before its change of the weights; NaN before the first.
    is_stopping : bool
        Whether a callback has asked to end the fit after this epoch, see :meth:`stop`.
    loss_weights : dict of str to float
        Weight of each output's loss, which callbacks may change; empty for one loss.
    description : dict of str to str
        Model, loss, optimizer and callbacks, which must be the same when a fit is resumed.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or the optimizer belongs to another
        model.

    Examples
    --------
    >>> import nnlayers as nn
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = nn.Affine(1, 1, rng=0)
    >>> trainer = Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), lr=0.1))
    >>> history = trainer.fit(X, 2 * X + 1, epochs=200, batch_size=4, rng=0)
    >>> len(history), history["loss"][-1] < 1e-3
    (200, True)
    >>> model.predict([[10.0]]).round(1)
    array([[21.]], dtype=float32)
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss | Mapping[str, Loss],
        optimizer: Optimizer,
        *,
        metrics: Iterable[str | Metric] = (),
        callbacks: Iterable[Callback] = (),
        clip_norm: float | None = None,
        engine: EngineName = "auto",
        loss_weights: Mapping[str, float] | None = None,
        clip_value: float | None = None,
    ) -> None:
        self._task = make_task(model, loss, metrics, loss_weights)
        check_instance("optimizer", optimizer, Optimizer)
        self.model = model
        self.loss: Any = loss
        self.optimizer = optimizer
        self.metrics = self._task.metrics
        self.loss_weights = self._task.loss_weights
        self.callbacks = list_callbacks(callbacks)
        self._bounds = GradientBounds.checked(clip_norm, clip_value)
        self.clip_norm, self.clip_value = self._bounds
        self._engine = Engine(engine, self._task, optimizer, self._bounds)
        self.history = History()
        self.note_frozen()
        self._holdout = Holdout()
        self._fit: FitInProgress | None = None
        self.step_loss = math.nan
        self.is_stopping = False
        self.description = describe_training(self)

    @property
    def engine(self) -> Literal["compiled", "numpy"]:
        """The engine that runs the steps."""
        return self._engine.name

    @property
    def engine_reason(self) -> str | None:
        """The reason that NumPy runs the steps and not the compiled engine; None without one."""
        return self._engine.reason

    def _entries(self) -> dict[str, str]:
        return entries_of(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the fit in progress, which a copy has no part in."""
        return vars(self) | {"_fit": None}

    def step(self, x: ByName, y: ByName, sample_weight: ByName | None = None) -> float:
        """Train on one batch in the model's current mode; return the loss before the step.

        Gradients that the optimizer does not consume are discarded, as in :meth:`fit`.

        Parameters
        ----------
        x, y : array_like, shape (batch, ...), or dict of them
            Inputs and targets, as :meth:`fit` takes them.
        sample_weight : array_like of numbers of at least 0, shape (batch,), or dict, optional
            Weight of each row.

        Raises
        ------
        DivergenceError
            If the loss or the gradient is NaN or infinite.
        ValueError
            If an argument does not fit, or a parameter of the model was replaced after the
            optimizer was made; then no weight has moved.
        """
        value = self._engine.step(x, y, sample_weight)
        if value is None:
            return self._step(*self._task.batch(x, y, sample_weight))[0]
        self.step_loss = value
        return value

    @np.errstate(**QUIET)
    def _step(
        self, x: Any, y: Any, sample_weight: Any, rows: Indices | None = None
    ) -> tuple[float, Any]:
        """Train on one batch, which has these rows of X; return the loss and the output."""
        task = self._task
        output = task.network.forward(x)
        value: float = task.loss.forward(output, y, sample_weight)
        if not math.isfinite(value):
            cause = task.explain(x, output, rows)
            raise divergence_error(self, cause, self.optimizer.steps + 1)
        task.network.backward_parameters(task.loss.backward())
        if Parameter.lack_grads(self._trained):
            refuse_replaced(self.model, self.optimizer)
        if not self._bounds.clip(self.optimizer.params):
            raise gradient_error(self)
        try:
            self.optimizer.step()
        except NonfiniteGradientError as error:
            raise gradient_error(self) from error
        for parameter in self._unoptimized:
            parameter.zero_grad()
        self.step_loss = value
        return value, output

    def fit(
        self,
        X: ByName,
        y: ByName,
        *,
        epochs: int,
        batch_size: int = 32,
        validation: float | tuple[ByName, ...] | None = None,
        shuffle: bool = True,
        rng: int | np.random.Generator | None = None,
        sample_weight: ByName | None = None,
        progress: Progress = False,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Train for some epochs. Another call continues where the last fit ended.

        Training losses and metrics are those of the epoch's own steps, in training mode, while the
        weights change; validation is measured with ``model.predict`` after each epoch. The loss of
        an epoch is the mean over its batches, weighted by rows, sample weights or class weights.

        Gradients that the optimizer does not consume, because a parameter is frozen or not one of
        the optimizer's, are discarded. Ctrl-C, or a SIGTERM that Python code handles, ends the fit
        between two steps: weights and the optimizer's state are those after a whole step.

        Parameters
        ----------
        X : array_like, shape (rows, ...), or dict or tuple of them
            Inputs, which are never written to. Floats are converted to the dtype of the model's
            parameters. For a graph of several inputs, a dictionary by name or a tuple in order.
        y : array_like, shape (rows, ...), or dict or tuple of them
            Targets, as the loss expects them; they keep their dtype. For losses by output, a
            dictionary by output or a tuple in order.
        epochs : int
            Number of passes over all rows, at least 1.
        batch_size : int
            Number of rows of a step, at least 1; the last batch of an epoch may be smaller.
        validation : float, (X, y) or (X, y, sample_weight), optional
            Rows to measure after each epoch: other rows, or a share of X, which is drawn at random
            and left out of the training, also in later fits of the same rows.
        shuffle : bool
            Whether each epoch visits the rows in a random order.
        rng : int or numpy.random.Generator, optional
            Source of the random orders and of the share for validation.
        sample_weight : array_like of numbers of at least 0, shape (rows,), or dict, optional
            Weight of each row, for all outputs or by output.
        progress : bool or "log"
            Whether to show a bar, in a notebook or if standard error is a terminal, which needs
            rich; ``"log"`` prints a line every few epochs to standard output.
        resume : str or path-like, optional
            A directory of :class:`~nnlayers.callbacks.Checkpoint`, or one file in it, from which a
            fit that was killed goes on, to the last bit of the one that was not. `epochs` counts
            those that were done; `rng` has no effect then. A directory without checkpoints starts
            from the beginning. See :doc:`/guide/training`.

        Returns
        -------
        History
            The history of all fits so far.

        Raises
        ------
        DivergenceError
            If the loss or the gradient is NaN or infinite, or a weight is at the start of the fit
            or at the end of an epoch.
        TypeError, ValueError
            If an argument is out of range or lengths differ, or if a parameter of the model was
            replaced after the optimizer was made; if the model, the optimizer, the data or another
            argument is not that of the checkpoint to resume from, or it is damaged.
        FileNotFoundError
            If there is nothing at `resume`.
        """
        epochs = check_integer("epochs", epochs, minimum=1)
        batch_size = check_integer("batch_size", batch_size, minimum=1)
        shuffle = check_boolean("shuffle", shuffle)
        progress = check_progress(progress)
        check_weights(self)
        rng = as_generator(rng)
        data = self._task.rows(X, y, sample_weight)
        validation = self._holdout.other_rows(validation, self._task)
        self._fit = fit = Fit(self, data, validation, epochs, batch_size, rng, shuffle)
        self.is_stopping = False
        try:
            saved = None if resume is None else read_checkpoint(check_path("resume", resume))
            if saved is not None:
                resume_fit(self, fit, saved)
            self.note_frozen()
            fit.run(self._holdout, show_progress(progress, fit.epochs_left))
        finally:
            self._fit = None
        return self.history

    def note_frozen(self) -> None:
        """Find the parameters whose gradients are discarded, after some were frozen or freed."""
        self._trained, self._unoptimized = split_parameters(self.model, self.optimizer)

    def stop(self) -> None:
        """End the fit after this epoch; for callbacks."""
        self.is_stopping = True

    @property
    def epochs_left(self) -> int:
        """The number of epochs of the fit that are not complete; 0 outside a fit."""
        return 0 if self._fit is None else self._fit.epochs_left

    @property
    def rows(self) -> Rows | None:
        """The rows that a fit trains on, for callbacks; None outside a fit and for sparse ones."""
        return None if self._fit is None else self._fit.rows

    def snapshot(self) -> dict[str, Array]:
        """Return copies of everything that a fit continues from; for ``on_pause`` of callbacks."""
        if self._fit is None:
            raise RuntimeError("a snapshot is that of a fit: call it in on_pause of a callback")
        return snapshot_of(self, self._fit)

    def predict(self, X: ByName) -> Any:
        """Return ``model.predict`` of rows, computed in parts; for losses by output a dictionary.

        Parameters
        ----------
        X : array_like, shape (rows, ...), or dict or tuple of them
            Inputs, as :meth:`fit` takes them.
        """
        return self._task.predict(X)

    def evaluate(
        self, X: ByName, y: ByName, sample_weight: ByName | None = None
    ) -> dict[str, float]:
        """Return the loss and the metrics of rows, measured with ``model.predict``.

        Weights count in the loss and in the metrics.

        Raises
        ------
        DivergenceError
            If a weight of the model is NaN or infinite.

        Examples
        --------
        >>> import nnlayers as nn
        >>> model = nn.Affine(1, 2, weight_init="zeros")
        >>> optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, metrics=["accuracy"])
        >>> trainer.evaluate([[1.0], [2.0]], [0, 1])
        {'loss': 0.6931471805599453, 'accuracy': 0.5}
        """
        check_weights(self)
        return self._measure(self._task.rows(X, y, sample_weight))

    def _measure(self, rows: Rows) -> dict[str, float]:
        """Return the loss and the metrics of rows."""
        measured = self._task.measure(rows)
        if not math.isfinite(measured["loss"]):
            check_weights(self)
        return measured

    def state_dict(self, *, history: bool = True) -> dict[str, Array]:
        """Return copies of everything that training resumes from, as arrays by name.

        These are the states of model, optimizer, history, callbacks and the random generators of
        the model's layers. The caller saves the generator passed to :meth:`fit`, unless a layer
        shares it. If its state is restored too, a resumed run equals the uninterrupted one bit for
        bit.

        Parameters
        ----------
        history : bool
            Whether to include the history, which grows with every epoch. Before loading a state
            without it, add the history's ``state_dict()`` with names prefixed by ``"history."``.
        """
        parts = stateful_parts(self)
        if not history:
            del parts["history"]
        return join_states(parts) | self._holdout.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        parts = stateful_parts(self)
        states, others = split_state(state, parts)
        check_names(self, others.keys() & set(Holdout.state_names), others)
        seed = Holdout.from_state(others).seed
        load_states(parts, states)
        self._holdout.seed = seed
