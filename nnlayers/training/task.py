"""Model, loss and metrics of a trainer, and how they are measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_instance
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.divergence import QUIET, explain_loss
from nnlayers.training.metrics import EpochMeter, Metric, Metrics, measure_output
from nnlayers.training.rows import (
    Indices,
    Rows,
    as_numbers,
    check_lengths,
    named_arrays,
    row_weight,
)

__all__ = ["Task"]


class Task:
    """A model of one input and one output, with the loss and the metrics of its output.

    Parameters
    ----------
    model : Layer
        The model.
    loss : Loss
        The loss of its output.
    metrics : iterable of str or callable
        Metrics of its output.

    Attributes
    ----------
    network : Layer
        The model, or an object with its methods that takes a batch of :meth:`rows`.
    loss : Loss
        The loss, or an object with its methods that takes the outputs of the network.
    metrics : Metrics
        The metrics of its output.
    loss_weights : dict of str to float
        The weights of the losses of several outputs.
    """

    def __init__(self, model: Layer, loss: Any, metrics: Any) -> None:
        check_instance("model", model, Layer)
        self.model: Any = model
        self._parameters = model.parameters()
        self.network: Any = self.network_of(model)
        self.loss: Any = loss
        self.metrics: Any = self.resolve(metrics)
        self.loss_weights: dict[str, float] = {}

    def network_of(self, model: Any) -> Any:
        """Return what runs a model with the inputs and outputs of this one."""
        return model

    def resolve(self, metrics: Iterable[str | Metric]) -> Any:
        """Return a user's metrics, after a check of the loss."""
        check_instance("loss", self.loss, Loss)
        return Metrics(metrics, self.loss)

    def inputs(self, X: Any, name: str) -> Any:
        """Return a user's inputs; floats in the model's dtype."""
        return as_numbers(name, X, self.dtype)

    def targets(self, y: Any, name: str) -> Any:
        """Return a user's targets.

        They keep their dtype, because a loss may tell apart numbers that the model's dtype cannot.
        """
        return as_numbers(name, y)

    def weights(self, sample_weight: Any, rows: int) -> Any:
        """Return a user's sample weights, None without any."""
        return row_weight(sample_weight, rows, self.loss)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of the model's parameters."""
        return self._parameters[0].dtype if self._parameters else None

    def batch(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return a batch of a user as the network and the loss take it, which check it."""
        return x, y, sample_weight

    def rows(
        self, X: Any, y: Any, sample_weight: Any = None, names: tuple[str, str] = ("X", "y")
    ) -> Rows:
        """Return a user's data.

        Raises
        ------
        TypeError, ValueError
            If an array does not hold real numbers, there are no rows, or lengths differ.
        """
        inputs, targets = self.inputs(X, names[0]), self.targets(y, names[1])
        arrays = named_arrays(names[0], inputs) | named_arrays(names[1], targets)
        check_lengths(arrays)
        name, array = next(iter(arrays.items()))
        if len(array) == 0:
            raise ValueError(f"{name} must have at least one row, got shape {array.shape}")
        weights = self.weights(sample_weight, len(array))
        return Rows(inputs, targets, weights, dtype=self._dtype_of_batches(inputs))

    def classes(self, rows: Rows) -> Array | None:
        """Return the targets in proportion to which a random split divides the rows, if any."""
        classes: Array | None = rows.y if self.loss.targets == "classes" else None
        return classes

    def meter(self) -> Any:
        """Return a meter of the loss and the metrics of an epoch."""
        return EpochMeter(self.loss, self.metrics)

    def measure(self, rows: Rows) -> dict[str, float]:
        """Return the loss and the metrics of rows, for which the model predicts."""
        y, weight = rows.targets(rows.indices(slice(None)))
        with np.errstate(**QUIET):
            output = rows.predict(self.network)
        return self.measure_output(output, y, weight)

    def measure_output(self, output: Any, y: Any, weight: Any) -> dict[str, float]:
        """Return the loss and the metrics of the network's output."""
        return measure_output(self.loss, self.metrics, output, y, weight)

    def predict(self, X: Any) -> Any:
        """Return the outputs for a user's inputs."""
        inputs = self.inputs(X, "X")
        check_lengths(named_arrays("X", inputs))
        rows = Rows(inputs, None, dtype=self._dtype_of_batches(inputs))
        return rows.predict(self.network) if len(rows) else self.network.predict(inputs)

    def _dtype_of_batches(self, inputs: Any) -> np.dtype[Any] | None:
        """Return the dtype to which batches are converted, None unless they come from a file."""
        arrays = named_arrays("x", inputs).values()
        others = [x for x in arrays if x.dtype.kind == "f" and x.dtype != self.dtype]
        return self.dtype if others else None

    def explain(self, x: Any, output: Any, rows: Indices | None) -> str:
        """Return the cause of a loss that is NaN or infinite."""
        inputs, outputs = named_arrays("x", x), named_arrays("output", output)
        return explain_loss(self.model, inputs, outputs.values(), rows)
