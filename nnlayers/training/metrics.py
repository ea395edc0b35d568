"""Metrics, and the loss and metrics of an epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import look_up
from nnlayers.losses import Loss
from nnlayers.training.divergence import QUIET

__all__ = [
    "EpochMeter",
    "Metric",
    "accuracy",
    "has_sum_reduction",
    "measure",
    "measure_output",
    "resolve_metrics",
]

Metric: TypeAlias = Callable[[Array, Array], float]


def accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    """Return the share of labels that are right.

    Parameters
    ----------
    y_true : array_like
        Labels of y_pred's shape, or rows of class probabilities, of which the largest counts.
    y_pred : array_like of int
        Predicted labels: ``(batch,)`` class ids, or ``(batch, n)`` zeros and ones, each of which
        counts.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are no labels.

    Examples
    --------
    >>> accuracy([0, 2, 1, 1], [0, 2, 2, 1])
    0.75
    >>> accuracy([[0.9, 0.1], [0.4, 0.6]], [0, 0])
    0.5
    """
    true, predicted = unmasked(y_true, "y_true"), unmasked(y_pred, "y_pred")
    if true.ndim == predicted.ndim + 1 and true.size:
        true = true.argmax(axis=-1)
    if true.shape != predicted.shape or true.size == 0:
        raise ValueError(
            f"accuracy needs labels of one shape, got y_true {true.shape}, y_pred {predicted.shape}"
        )
    return float(np.count_nonzero(true == predicted) / true.size)


_METRICS_BY_NAME: dict[str, Metric] = {"accuracy": accuracy}


def resolve_metrics(metrics: Iterable[str | Metric], loss: Loss) -> dict[str, Metric]:
    """Return metrics by name.

    Raises
    ------
    TypeError
        If one is neither a name nor a function with a name.
    ValueError
        If a name is unknown or occurs twice, or a metric does not fit the loss's targets.

    Examples
    --------
    >>> import nnlayers as nn
    >>> resolve_metrics(["acuracy"], nn.SoftmaxCrossEntropy())
    Traceback (most recent call last):
    ValueError: unknown metric 'acuracy', did you mean 'accuracy'? Known: accuracy
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics must be a list of names or functions, got {metrics!r}")
    resolved: dict[str, Metric] = {}
    for metric in metrics:
        function = (
            look_up("metric", metric, _METRICS_BY_NAME) if isinstance(metric, str) else metric
        )
        name = getattr(function, "__name__", None)
        if not callable(function) or name is None:
            raise TypeError(f"metrics must hold names or functions with a __name__, got {metric!r}")
        if function is accuracy and loss.targets == "values":
            raise ValueError(
                "metric 'accuracy' needs a loss whose targets are classes, "
                f"those of {type(loss).__name__} are values"
            )
        if name in resolved or name == "loss":
            raise ValueError(f"metrics must have different names, got {name!r} twice")
        resolved[name] = function
    return resolved


def measure(metrics: Mapping[str, Metric], y_true: Array, y_pred: Array) -> dict[str, float]:
    """Return the value of each metric.

    Raises
    ------
    TypeError
        If a metric returns anything but one number.
    """
    values = {}
    for name, metric in metrics.items():
        value = metric(y_true, y_pred)
        if np.ndim(value) != 0:
            raise TypeError(f"metric {name!r} must return a number, got {value!r}")
        values[name] = float(value)
    return values


def measure_output(
    loss: Loss, metrics: Mapping[str, Metric], output: Array, y: Array, weight: Array | None
) -> dict[str, float]:
    """Return the loss and the metrics of an output; the loss keeps what its backward needs."""
    with np.errstate(**QUIET):
        value = copy.copy(loss).forward(output, y, weight)
    return {"loss": value} | measure(metrics, y, loss.decide(output))


def has_sum_reduction(loss: Loss) -> bool:
    """Return whether the losses of batches add up to that of all rows."""
    return getattr(loss, "reduction", "mean") == "sum"


class EpochMeter:
    """Loss and metrics of all rows of an epoch, from those of its batches.

    Parameters
    ----------
    loss : Loss
        The loss that is trained.
    metrics : mapping of str to callable
        Metrics by name.

    Examples
    --------
    >>> import nnlayers as nn
    >>> loss = nn.MeanSquaredError()
    >>> meter = EpochMeter(loss, {})
    >>> for output in [np.array([[1.0], [1.0]]), np.array([[2.0]])]:
    ...     y = np.zeros_like(output)
    ...     meter.add(loss.forward(output, y), output, y)
    >>> meter.result()
    {'loss': 2.0}
    """

    def __init__(self, loss: Loss, metrics: Mapping[str, Metric]) -> None:
        self.loss = loss
        self.metrics = metrics
        self._values: list[float] = []
        self._weights: list[float] = []
        self._outputs: list[Array] = []
        self._targets: list[Array] = []

    def add(
        self, value: float, output: Array, y: Array, sample_weight: Array | None = None
    ) -> None:
        """Add a batch, of which `value` is the loss, right after the loss's forward pass."""
        weight = self.loss.total_weight
        if weight is None:
            weight = len(y) if sample_weight is None else float(sample_weight.sum())
        self._values.append(value)
        self._weights.append(weight)
        if self.metrics:
            self._outputs.append(output)
            self._targets.append(y)

    def result(self) -> dict[str, float]:
        """Return the loss and the metrics by name."""
        result = {"loss": self._epoch_loss()}
        if self.metrics:
            labels = self.loss.decide(np.concatenate(self._outputs))
            result |= measure(self.metrics, np.concatenate(self._targets), labels)
        return result

    def _epoch_loss(self) -> float:
        values, weights = np.array(self._values), np.array(self._weights)
        if has_sum_reduction(self.loss):
            return float(values.sum())
        return float(values @ (weights / weights.sum())) if weights.any() else 0.0
