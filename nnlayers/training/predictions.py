"""Targets and predictions of rows, in the forms that metrics need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import log_softmax, logsumexp

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy

__all__ = ["Predictions", "Units", "gives_log_odds"]

# Converts targets and predictions of numbers to the units in which they are reported.
Units: TypeAlias = Callable[[Array], Array]


def gives_log_odds(loss: Loss) -> bool:
    """Return whether the outputs that a loss trains are log-odds of classes."""
    return isinstance(loss, SoftmaxCrossEntropy | SigmoidCrossEntropy)


@dataclass(frozen=True)
class Predictions:
    """Targets and predictions of rows, which metrics are computed from.

    Parameters
    ----------
    kind : {"values", "classes", "binary"}
        The kind of targets, as of a :class:`nnlayers.losses.Loss`.
    y_true, y_pred : ndarray
        Targets, and the decisions for them.
    output : ndarray
        Output of the model.
    weight : ndarray, shape (rows,), optional
        Weight of each row.
    has_log_odds : bool
        Whether the softmax, or for binary targets the sigmoid, of the output is a probability.

    Examples
    --------
    >>> import nnlayers as nn
    >>> y, output = np.array([[1], [0]]), np.array([[2.0], [1.0]])
    >>> rows = Predictions.of(nn.SigmoidCrossEntropy(), y, output)
    >>> rows.labels
    (array([1, 0]), array([1, 1]))
    >>> rows.scores
    array([[0., 2.],
           [0., 1.]])
    """

    kind: Literal["values", "classes", "binary"]
    y_true: Array
    y_pred: Array
    output: Array
    weight: Array | None = None
    has_log_odds: bool = False

    @classmethod
    def of(
        cls,
        loss: Loss,
        y: Array,
        output: Array,
        weight: Array | None = None,
        units: Units | None = None,
    ) -> Predictions:
        """Return what a model's output predicts; numbers in `units`, if these are given."""
        y_pred = loss.decide(output)
        if units is not None and loss.targets == "values":
            y, y_pred = units(y), units(y_pred)
        return cls(loss.targets, y, y_pred, output, weight, gives_log_odds(loss))

    @property
    def is_multilabel(self) -> bool:
        """Whether each row has several labels that are 0 or 1."""
        return self.kind == "binary" and self.output[:1].size > 1

    @cached_property
    def labels(self) -> tuple[Array, Array]:
        """True and predicted class ids, flat; for several labels zeros and ones, (rows, labels).

        Of probabilities in the place of a target, the largest one counts.
        """
        true, predicted = self.y_true, self.y_pred
        if self.kind == "classes":
            true = true.argmax(axis=-1) if true.ndim > predicted.ndim else true
        else:
            true = true > 0.5
        if true.shape != predicted.shape:
            raise ValueError(
                f"metrics need labels of one shape, got y_true {true.shape}, "
                f"y_pred {predicted.shape}"
            )
        shape = (len(true), -1) if self.is_multilabel else (-1,)
        return true.astype(np.int64).reshape(shape), predicted.astype(np.int64).reshape(shape)

    @cached_property
    def scores(self) -> Array:
        """Scores of the classes, (rows, classes); the first of two binary ones has the score 0."""
        z = self.output.astype(FLOAT64)
        if self.kind == "classes":
            return z.reshape(-1, z.shape[-1])
        return np.stack([np.zeros(z.size), z.ravel()], axis=1)

    @cached_property
    def log_probabilities(self) -> Array:
        """Logarithms of the probabilities of the classes, (rows, classes)."""
        result: Array = log_softmax(self.scores, axis=1)
        return result

    @cached_property
    def log_odds(self) -> Array:
        """Logarithms of the odds p / (1 - p) of the classes, which differ where p rounds to 1."""
        z, log_p = self.scores, self.log_probabilities
        odds: Array = log_p - np.log1p(-np.exp(log_p))
        best = z.argmax(axis=1)[:, None]
        others = z.copy()
        np.put_along_axis(others, best, -np.inf, axis=1)
        largest = np.take_along_axis(z, best, axis=1) - logsumexp(others, axis=1, keepdims=True)
        np.put_along_axis(odds, best, largest, axis=1)
        return odds

    @cached_property
    def values(self) -> tuple[Array, Array]:
        """True and predicted numbers in float64, (rows, numbers of a row)."""
        true, predicted = self.y_true, self.y_pred
        if true.shape != predicted.shape:
            raise ValueError(
                f"metrics need predictions of the targets' shape {true.shape}, "
                f"got {predicted.shape}"
            )
        shape = (len(true), -1) if true.size else (len(true), 1)
        return true.astype(FLOAT64).reshape(shape), predicted.astype(FLOAT64).reshape(shape)

    @cached_property
    def weights(self) -> Array:
        """Weights of the rows of :attr:`labels` and :attr:`scores`, of which the largest is 1."""
        rows = len(self.y_true)
        w = np.ones(rows) if self.weight is None else self.weight.astype(FLOAT64)
        largest = w.max(initial=0.0)
        w = w / largest if largest > 0 else w
        if self.kind != "classes" or not rows:
            return w
        # A row of several positions, each with a class, counts once for each of them.
        positions = self.y_pred.size // rows
        return np.repeat(w, positions) if positions != 1 else w
