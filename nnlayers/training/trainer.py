"""The loop: forward, loss, backward, step; over batches, over epochs."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_integer, check_number
from nnlayers.data import batches
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import NonfiniteGradientError, Optimizer, clip_grad_norm
from nnlayers.training.callbacks import Callback
from nnlayers.training.checks import check_kind, parameters_not_moved
from nnlayers.training.divergence import DivergenceError, gradient_fault, loss_fault, weights_fault
from nnlayers.training.generators import Generators
from nnlayers.training.history import History
from nnlayers.training.joining import adds_up, joined_loss, total_weight
from nnlayers.training.metrics import Metric, measure, resolve
from nnlayers.training.progress import progress_bars
from nnlayers.training.rows import Rows
from nnlayers.training.signals import HeldSignals

__all__ = ["Trainer"]

# Rows that inference takes at a time: enough to be fast, few enough for the layers' outputs.
CHUNK = 4096
# Of what NumPy warns while a model runs, the loss tells, in words of its own.
UNHEARD: dict[str, Any] = {"over": "ignore", "divide": "ignore", "invalid": "ignore"}


class Trainer:
    r"""Fit a model to data: the loop that you would write yourself, with its record.

    One step is

    .. code-block:: python

        output = model.forward(x)
        value = loss.forward(output, y)
        model.backward(loss.backward())
        optimizer.step()

    Parameters
    ----------
    model : Layer
        What is trained.
    loss : Loss
        What is made small.
    optimizer : Optimizer
        Of the model's parameters.
    metrics : iterable of str or callable
        ``"accuracy"``, or functions ``metric(y_true, y_pred) -> float``, such as scikit-learn's,
        which give their names to columns of the history. `y_true` is y as given; `y_pred` holds
        labels where the loss is one of classes (``loss.decide``), else the model's outputs. Rows
        count alike, whatever their weights.
    callbacks : iterable of Callback
        Called in this order at the start and the end of fit and at the end of each epoch, see
        :mod:`nnlayers.callbacks <nnlayers.training.callbacks>`.
    clip_norm : float, optional
        The largest norm of the gradient; longer ones are scaled down.

    Attributes
    ----------
    history : History
        One row for each epoch of all fits so far.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or the optimizer is another model's.

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
        loss: Loss,
        optimizer: Optimizer,
        *,
        metrics: Iterable[str | Metric] = (),
        callbacks: Iterable[Callback] = (),
        clip_norm: float | None = None,
    ) -> None:
        check_kind("model", model, Layer)
        check_kind("loss", loss, Loss)
        check_kind("optimizer", optimizer, Optimizer)
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self._unmoved = parameters_not_moved(self.model, self.optimizer)
        self.metrics = resolve(metrics, loss)
        if not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks must be a list of callbacks, got {callbacks!r}")
        self.callbacks = list(callbacks)
        for index, callback in enumerate(self.callbacks):
            check_kind(f"callbacks[{index}]", callback, Callback)
        if clip_norm is not None:
            clip_norm = check_number("clip_norm", clip_norm, above=0)
        self.clip_norm = clip_norm
        self.history = History()
        self._split_seed: int | None = None
        self._stopping = False

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        epochs: int,
        batch_size: int = 32,
        validation: float | tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        shuffle: bool = True,
        rng: int | np.random.Generator | None = None,
        sample_weight: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> History:
        """Train for some epochs; called again, go on from where the last fit ended.

        Training losses and metrics are those of the epoch's own steps, in training mode, while the
        weights move; validation is measured with ``model.predict`` after each epoch. The loss of an
        epoch joins its batches by what each counts for in a mean: its rows, their sample weights,
        or the weights of their classes.

        Gradients that the optimizer does not consume, of parameters that are frozen or not its own,
        are discarded.

        Ctrl-C, or a SIGTERM that Python code handles, ends fit between two steps: weights and the
        optimizer's state are those after a whole step.

        Parameters
        ----------
        X : array_like, shape (rows, ...)
            Inputs; never written to. Floats are taken to the dtype of the model's parameters.
        y : array_like, shape (rows, ...)
            Targets, as the loss takes them; they keep their dtype.
        epochs : int
            How often to go through all rows, at least 1.
        batch_size : int
            How many rows make a step, at least 1; the last batch of an epoch may be smaller.
        validation : float or (X, y), optional
            Rows to measure after each epoch: others, or a share of X, drawn at random and left out
            of the training, also in later fits of the same rows.
        shuffle : bool
            Whether each epoch goes through the rows in a random order.
        rng : int or numpy.random.Generator, optional
            Where orders and the share for validation are drawn from.
        sample_weight : array_like of numbers of at least 0, shape (rows,), optional
            How much each row counts.
        progress : bool
            Whether to show a progress bar, if standard error is a terminal. Needs rich.

        Returns
        -------
        History
            Of all fits so far.

        Raises
        ------
        DivergenceError
            If the loss, the gradient, or a weight at the start of fit or at the end of an epoch is
            NaN or infinite.
        TypeError, ValueError
            If an argument is out of range or lengths differ, or if a parameter of the model was
            replaced after the optimizer was made.
        """
        epochs = check_integer("epochs", epochs, minimum=1)
        shuffle = check_boolean("shuffle", shuffle)
        progress = check_boolean("progress", progress)
        self._unmoved = parameters_not_moved(self.model, self.optimizer)
        self._check_weights()
        rng = np.random.default_rng(rng)
        data = Rows.of(self.model, X, y, sample_weight)
        if not adds_up(self.loss):
            data = data.with_finite_total_weight()
        rows, held_out = self._parts(data, validation, rng)
        callbacks = self.callbacks + (progress_bars(epochs) if progress else [])
        layers = self.model.layers_by_name().values()
        self._stopping = False
        with HeldSignals() as signals, ExitStack() as at_the_end:
            at_the_end.callback(self._tidy, [(layer, layer.training) for layer in layers])
            for callback in reversed(callbacks):
                at_the_end.callback(callback.on_fit_end, self)
            for callback in callbacks:
                callback.on_fit_start(self)
            for _ in range(epochs):
                for layer in layers:  # a callback may have switched them
                    layer.training = True
                row = self._train_epoch(rows, batch_size, rng if shuffle else None, signals)
                if held_out is not None:
                    measured = self._measure(held_out)
                    row |= {f"val_{name}": value for name, value in measured.items()}
                self.history.append(row)
                for callback in callbacks:
                    callback.on_epoch_end(self)
                if self._stopping:
                    break
        return self.history

    @np.errstate(**UNHEARD)
    def step(
        self, x: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Do one step on one batch, in the mode in which the model is; return the loss before it.

        Gradients that the optimizer does not consume are discarded, as in :meth:`fit`.

        Parameters
        ----------
        x, y : array_like, shape (batch, ...)
            Inputs and targets.
        sample_weight : array_like of numbers of at least 0, shape (batch,), optional
            How much each row counts.

        Raises
        ------
        DivergenceError
            If the loss or the gradient is NaN or infinite.
        """
        return self._step(x, y, sample_weight)[0]

    def evaluate(self, X: npt.ArrayLike, y: npt.ArrayLike) -> dict[str, float]:
        """Return the loss and the metrics of rows, with ``model.predict``.

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
        self._check_weights()
        return self._measure(Rows.of(self.model, X, y))

    def stop(self) -> None:
        """End fit after this epoch; for callbacks."""
        self._stopping = True

    def state_dict(self, *, history: bool = True) -> dict[str, Array]:
        """Return copies of all that training goes on from, as arrays by name.

        That is the state of model, optimizer, history, callbacks and the random generators in the
        attributes of the model's layers. The generator given to fit is the caller's to keep, unless
        a layer shares it: with its state too, a resumed run is the uninterrupted one bit by bit.

        Parameters
        ----------
        history : bool
            False leaves out the history, which grows from epoch to epoch. Whoever keeps it
            elsewhere adds its ``state_dict()``, each name behind ``"history."``, before loading.
        """
        state = {
            f"{prefix}.{name}": array
            for prefix, part in self._parts_with_state().items()
            if history or part is not self.history
            for name, array in part.state_dict().items()
        }
        if self._split_seed is not None:
            state["split_seed"] = np.array(self._split_seed)
        return state

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of another shape; then nothing has changed.
        """
        before = self.state_dict()
        try:
            self._load(state)
        except BaseException:
            self._load(before)
            raise

    def _load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        parts = self._parts_with_state()
        states: dict[str, dict[str, npt.ArrayLike]] = {prefix: {} for prefix in parts}
        for name, array in state.items():
            prefix = next((p for p in parts if name.startswith(f"{p}.")), None)
            if prefix is not None:
                states[prefix][name.removeprefix(f"{prefix}.")] = array
            elif name != "split_seed":
                raise ValueError(f"state does not fit Trainer: unknown {name!r}")
        for prefix, part in parts.items():
            part.load_state_dict(states[prefix])
        seed = state.get("split_seed")
        self._split_seed = None if seed is None else int(np.asarray(seed))

    def _train_epoch(
        self,
        data: Rows,
        batch_size: int,
        rng: np.random.Generator | None,
        signals: HeldSignals,
    ) -> dict[str, float]:
        """Go once through the rows; return the loss and the metrics of the steps."""
        values, totals, outputs, targets = [], [], [], []
        with np.errstate(**UNHEARD):
            for batch in batches(len(data), batch_size, rng):
                rows = data.places(batch)
                x, (y, weight) = data.inputs(rows), data.targets(rows)
                try:
                    value, output = signals.whole(self._step, x, y, weight, rows)
                except ValueError:
                    self._measure(data.whole())  # says the same of rows of y, not of the batch
                    raise
                values.append(value)
                totals.append(total_weight(self.loss, y, weight))
                if self.metrics:
                    outputs.append(output)
                    targets.append(y)
        # A gradient of a finite loss may overflow: the next step's loss shows it, but for the last.
        if not all(np.isfinite(parameter.value).all() for parameter in self.optimizer.params):
            fault = loss_fault(self.model, x, output, rows)
            raise self._diverged(fault, self.optimizer.steps)
        measured = {"loss": joined_loss(self.loss, np.array(values), np.array(totals))}
        if self.metrics:
            decided = self.loss.decide(np.concatenate(outputs))
            measured |= measure(self.metrics, np.concatenate(targets), decided)
        return measured

    def _step(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        rows: npt.NDArray[np.intp] | slice | None = None,
    ) -> tuple[float, Array]:
        """Do one step; return the loss and the output. `rows` says where the batch is from."""
        output = self.model.forward(x)
        value = self.loss.forward(output, y, sample_weight)
        if not math.isfinite(value):
            fault = loss_fault(self.model, x, output, rows)
            raise self._diverged(fault, self.optimizer.steps + 1)
        self.model.backward_parameters(self.loss.backward())
        if self.clip_norm is not None:
            self._clip(self.clip_norm)
        try:
            self.optimizer.step()
        except NonfiniteGradientError as error:
            raise self._gradient_diverged() from error
        for parameter in self._unmoved:
            parameter.zero_grad()
        return value, output

    def _clip(self, max_norm: float) -> None:
        trained = [parameter for parameter in self.optimizer.params if parameter.trainable]
        if trained and not math.isfinite(clip_grad_norm(trained, max_norm)):
            raise self._gradient_diverged()

    def _gradient_diverged(self) -> DivergenceError:
        """Return the error for a gradient that is not finite, and discard the gradients."""
        fault = gradient_fault(self.model)
        self._discard_gradients()
        return self._diverged(fault, self.optimizer.steps + 1)

    def _check_weights(self) -> None:
        """Raise ``DivergenceError`` if weights are not finite, whoever has made them so."""
        fault = weights_fault(self.model)
        if fault is not None:
            raise self._diverged(fault, self.optimizer.steps)

    def _diverged(self, fault: str, step: int) -> DivergenceError:
        remedies = [f"a lower learning rate (now {self.optimizer.lr:g})", "standardised inputs"]
        if self.clip_norm is None:
            remedies.insert(1, "clip_norm=1.0")
        return DivergenceError(
            fault,
            epoch=len(self.history) + 1,
            step=step,
            remedy=f"What usually helps: {', '.join(remedies)}",
        )

    def _measure(self, data: Rows) -> dict[str, float]:
        """Return the loss and the metrics of rows; what the loss keeps for backward stays."""
        with np.errstate(**UNHEARD):
            places = map(data.places, batches(len(data), CHUNK))
            output = np.concatenate([self.model.predict(data.inputs(chunk)) for chunk in places])
            y, weight = data.targets(data.places(slice(None)))
            value = copy.copy(self.loss).forward(output, y, weight)
        if not math.isfinite(value):
            self._check_weights()
        return {"loss": value} | measure(self.metrics, y, self.loss.decide(output))

    def _parts(
        self, data: Rows, validation: Any, rng: np.random.Generator
    ) -> tuple[Rows, Rows | None]:
        """Return the rows to train on, and those for validation if there are any."""
        if validation is None:
            return data, None
        if isinstance(validation, Sequence) and len(validation) == 2:
            names = ("validation[0]", "validation[1]")
            X, y = validation
            return data, Rows.of(self.model, X, y, names=names)
        # Kept, for rows held out in one fit must not be trained on in the next.
        if self._split_seed is None:
            self._split_seed = int(rng.integers(2**32))
        return data.held_out(validation, self.loss, self._split_seed)

    def _parts_with_state(self) -> dict[str, Any]:
        callbacks = {f"callbacks.{i}": callback for i, callback in enumerate(self.callbacks)}
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "history": self.history,
            "generators": Generators(self.model),
        } | callbacks

    def _discard_gradients(self) -> None:
        for parameter in (*self.model.parameters(), *self.optimizer.params):
            parameter.zero_grad()

    def _tidy(self, modes: list[tuple[Layer, bool]]) -> None:
        """Put the layers back into their modes, and drop the gradient of a step cut short."""
        for layer, training in modes:
            layer.training = training
        self._discard_gradients()
