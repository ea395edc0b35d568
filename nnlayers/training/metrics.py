"""Metrics: functions of the true and the predicted targets that say how good a model is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import unknown_name
from nnlayers.losses import Loss

__all__ = ["Metric", "accuracy", "measure", "resolve"]

Metric: TypeAlias = Callable[[Array, Array], float]


def accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    """Return the share of labels that are right.

    Parameters
    ----------
    y_true : array_like
        Labels of y_pred's shape, or rows of probabilities of the classes, whose largest counts.
    y_pred : array_like of int
        The labels decided upon: ``(batch,)`` class ids, or ``(batch, n)`` zeros and ones, where
        each entry counts.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there is no label.

    Examples
    --------
    >>> accuracy([0, 2, 1, 1], [0, 2, 2, 1])
    0.75
    >>> accuracy([[0.9, 0.1], [0.4, 0.6]], [0, 0])
    0.5
    """
    true, decided = unmasked(y_true, "y_true"), unmasked(y_pred, "y_pred")
    if true.ndim == decided.ndim + 1 and true.size:
        true = true.argmax(axis=-1)
    if true.shape != decided.shape or true.size == 0:
        raise ValueError(
            f"accuracy needs labels of one shape, got y_true {true.shape}, y_pred {decided.shape}"
        )
    return float(np.count_nonzero(true == decided) / true.size)


_NAMED: dict[str, Metric] = {"accuracy": accuracy}


def resolve(metrics: Iterable[str | Metric], loss: Loss) -> dict[str, Metric]:
    """Return metrics by name.

    Raises
    ------
    TypeError
        If one is neither a name nor a function with a name.
    ValueError
        If a name is unknown or occurs twice, or the metric does not fit the loss's targets.

    Examples
    --------
    >>> import nnlayers as nn
    >>> resolve(["acuracy"], nn.SoftmaxCrossEntropy())
    Traceback (most recent call last):
    ValueError: unknown metric 'acuracy', did you mean 'accuracy'? Known: accuracy
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics must be a list of names or functions, got {metrics!r}")
    resolved: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str) and metric not in _NAMED:
            raise ValueError(unknown_name("metric", metric, _NAMED))
        function = _NAMED[metric] if isinstance(metric, str) else metric
        name = getattr(function, "__name__", None)
        if not callable(function) or name is None:
            raise TypeError(f"metrics must hold names or functions with a __name__, got {metric!r}")
        if function is accuracy and loss.targets == "values":
            raise ValueError(
                "metric 'accuracy' needs a loss whose targets are classes, "
                f"those of {type(loss).__name__} are values"
            )
        if name in resolved or name == "loss":
            raise ValueError(f"metrics must have names of their own, got {name!r} twice")
        resolved[name] = function
    return resolved


def measure(metrics: Mapping[str, Metric], y_true: Array, y_pred: Array) -> dict[str, float]:
    """Return the value of each metric.

    Raises
    ------
    TypeError
        If a metric gives anything but one number.
    """
    values = {}
    for name, metric in metrics.items():
        value = metric(y_true, y_pred)
        if np.ndim(value) != 0:
            raise TypeError(f"metric {name!r} must return a number, got {value!r}")
        values[name] = float(value)
    return values
