"""Metrics by name, and the loss and metrics of an epoch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import is_iterable, unknown_name
from nnlayers._core.showing import shown
from nnlayers.losses import Loss
from nnlayers.training.divergence import QUIET
from nnlayers.training.measures import MEASURES
from nnlayers.training.predictions import Predictions, Units

__all__ = ["EpochMeter", "Metric", "Metrics", "has_sum_reduction", "mean_loss", "measure_output"]

Metric: TypeAlias = Callable[[Array, Array], float]

# Other names of metrics, those of scikit-learn's functions and losses among them.
_ELSEWHERE = {
    "auc": "roc_auc",
    "f1_score": "f1",
    "precision_score": "precision",
    "r2_score": "r2",
    "recall_score": "recall",
    "roc_auc_score": "roc_auc",
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    **{f"neg_{name}": name for name in MEASURES},
}


class Metrics:
    """Metrics by name, which are measured of the predictions for whole sets of rows.

    Parameters
    ----------
    metrics : iterable of str or callable
        Names of :data:`~nnlayers.training.measures.MEASURES`, or functions
        ``metric(y_true, y_pred) -> float``. A function that has an argument `sample_weight` gets
        the weights of the rows, if there are any.
    loss : Loss
        The loss of the model, which says what its output means.

    Attributes
    ----------
    names : list of str
        Names of the metrics.
    units : callable or None
        Converts targets that are numbers, and predictions of them, to the units in which they are
        measured; by default, those of the targets.

    Raises
    ------
    TypeError
        If one is neither a name nor a function with a name.
    ValueError
        If a name is unknown or occurs twice, or a metric does not fit the loss.

    Examples
    --------
    >>> import nnlayers as nn
    >>> metrics = Metrics(["accuracy", "roc_auc"], nn.SoftmaxCrossEntropy())
    >>> metrics.measure(np.array([0, 1, 1]), np.array([[2.0, 1.0], [3.0, 5.0], [1.0, 0.5]]))
    {'accuracy': 0.6666666666666666, 'roc_auc': 1.0}
    """

    def __init__(self, metrics: Iterable[str | Metric], loss: Loss) -> None:
        if isinstance(metrics, str | Mapping) or not is_iterable(metrics):
            raise TypeError(f"metrics must be a list of names or functions, got {shown(metrics)}")
        self.loss = loss
        self.units: Units | None = None
        self._computations: dict[str, Callable[[Predictions], float]] = {}
        for metric in metrics:
            name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
            if name is None or not (isinstance(metric, str) or callable(metric)):
                raise TypeError(
                    f"metrics must hold names or functions with a __name__, got {shown(metric)}"
                )
            if name in self._computations or name == "loss":
                raise ValueError(f"metrics must have different names, got {shown(name)} twice")
            self._computations[name] = _computation(metric, loss)

    @property
    def names(self) -> list[str]:
        """Names of the metrics."""
        return list(self._computations)

    def measure(self, y: Array, output: Array, weight: Array | None = None) -> dict[str, float]:
        """Return the metrics of a model's output for rows with the targets y.

        Raises
        ------
        TypeError
            If a function returns anything but one number.
        ValueError
            If a metric does not fit the number of classes.
        """
        if not self._computations:
            return {}
        return self.measure_predictions(Predictions.of(self.loss, y, output, weight, self.units))

    def measure_predictions(self, predictions: Predictions) -> dict[str, float]:
        """Return the metrics of predictions."""
        values = {}
        for name, compute in self._computations.items():
            value = compute(predictions)
            if np.ndim(value) != 0:
                raise TypeError(f"metric {name!r} must return a number, got {shown(value)}")
            values[name] = float(value)
        return values

    def __bool__(self) -> bool:
        return bool(self._computations)


def _computation(metric: str | Metric, loss: Loss) -> Callable[[Predictions], float]:
    """Return the function from predictions to the value of a metric."""
    if isinstance(metric, str):
        if metric not in MEASURES:
            raise ValueError(unknown_name("metric", metric, MEASURES, _ELSEWHERE))
        measure = MEASURES[metric]
        measure.check(metric, loss)
        return measure
    function: Callable[..., float] = metric
    takes_weight = _takes_weight(function)

    def call(predictions: Predictions) -> float:
        arguments = predictions.y_true, predictions.y_pred
        if takes_weight and predictions.weight is not None:
            return function(*arguments, sample_weight=predictions.weight)
        return function(*arguments)

    return call


def _takes_weight(function: Callable[..., float]) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # A function in C may have no signature.
        return False


def measure_output(
    loss: Loss, metrics: Metrics, output: Array, y: Array, weight: Array | None
) -> dict[str, float]:
    """Return the loss and the metrics of an output; the loss keeps what its backward needs."""
    with np.errstate(**QUIET):
        value = copy.copy(loss).forward(output, y, weight)
    return {"loss": value} | metrics.measure(y, output, weight)


def has_sum_reduction(loss: Loss) -> bool:
    """Return whether the losses of batches add up to that of all rows."""
    return getattr(loss, "reduction", "mean") == "sum"


def mean_loss(loss: Loss, values: Array, weights: Array) -> float:
    """Return the loss of an epoch from those of its batches and the divisors of their means.

    It is their sum where the loss of a batch is one.
    """
    if has_sum_reduction(loss):
        return float(values.sum())
    return float(values @ (weights / weights.sum())) if weights.any() else 0.0


class EpochMeter:
    """Loss and metrics of all rows of an epoch, from those of its batches.

    Parameters
    ----------
    loss : Loss
        The loss that is trained.
    metrics : Metrics
        The metrics; their value is that of all rows together, which for most is not the mean of
        those of the batches.

    Examples
    --------
    >>> import nnlayers as nn
    >>> loss = nn.MeanSquaredError()
    >>> meter = EpochMeter(loss, Metrics([], loss))
    >>> for output in [np.array([[1.0], [1.0]]), np.array([[2.0]])]:
    ...     y = np.zeros_like(output)
    ...     meter.add(loss.forward(output, y), output, y)
    >>> meter.result()
    {'loss': 2.0}
    """

    def __init__(self, loss: Loss, metrics: Metrics) -> None:
        self.loss = loss
        self.metrics = metrics
        self._values: list[float] = []
        self._weights: list[float] = []
        self._outputs: list[Array] = []
        self._targets: list[Array] = []
        self._row_weights: list[Array] = []

    def add(
        self, value: float, output: Array, y: Array, sample_weight: Array | None = None
    ) -> None:
        """Add a batch, of which `value` is the loss, right after the loss's forward pass."""
        weight = self.loss.total_weight
        if weight is None:
            weight = len(y) if sample_weight is None else float(sample_weight.sum())
        self.extend([value], [weight])
        if self.metrics:
            self.add_outputs(output, y, sample_weight)

    def extend(self, values: Iterable[float], weights: Iterable[float]) -> None:
        """Add the losses of batches, and the divisors of their means."""
        self._values.extend(values)
        self._weights.extend(weights)

    def add_outputs(self, output: Array, y: Array, sample_weight: Array | None) -> None:
        """Add the outputs, the targets and the weights of one batch or several."""
        self._outputs.append(output)
        self._targets.append(y)
        if sample_weight is not None:
            self._row_weights.append(sample_weight)

    def state_dict(self) -> dict[str, Array]:
        """Return what was added so far, as arrays by name."""
        parts: dict[str, list[Array]] = {
            "outputs": self._outputs,
            "targets": self._targets,
            "row_weights": self._row_weights,
        }
        arrays = {name: np.concatenate(part) for name, part in parts.items() if part}
        return arrays | {"values": np.array(self._values), "weights": np.array(self._weights)}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        arrays = {name: np.asarray(array) for name, array in state.items()}
        self._values, self._weights = (arrays[name].tolist() for name in ("values", "weights"))
        names = ("outputs", "targets", "row_weights")
        parts = ([arrays[name]] if name in arrays else [] for name in names)
        self._outputs, self._targets, self._row_weights = parts

    def result(self) -> dict[str, float]:
        """Return the loss and the metrics by name."""
        loss = mean_loss(self.loss, np.array(self._values), np.array(self._weights))
        result = {"loss": loss}
        if self.metrics:
            y, output = np.concatenate(self._targets), np.concatenate(self._outputs)
            weight = np.concatenate(self._row_weights) if self._row_weights else None
            result |= self.metrics.measure(y, output, weight)
        return result
