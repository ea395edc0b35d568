"""Measures of predictions, by scikit-learn's names and with its definitions.

They are computed here, so that training needs no scikit-learn and little time at the end of an
epoch: the checks alone of scikit-learn's functions take about a millisecond a call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy
from nnlayers.training.predictions import Predictions, gives_log_odds

__all__ = ["MEASURES", "Measure", "is_larger_better"]


@dataclass(frozen=True)
class Measure:
    """A measure of predictions.

    Attributes
    ----------
    compute : callable
        Returns the measure of :class:`~nnlayers.training.predictions.Predictions`.
    is_larger_better : bool
        Whether large values are good.
    is_for_values : bool
        Whether it measures numbers, and not classes.
    needs_probabilities : bool
        Whether it needs the probabilities of classes.
    """

    compute: Callable[[Predictions], float]
    is_larger_better: bool
    is_for_values: bool = False
    needs_probabilities: bool = False

    def __call__(self, predictions: Predictions) -> float:
        """Return the measure, without warnings of values that are infinite or undefined."""
        with np.errstate(all="ignore"):
            return self.compute(predictions)

    def check(self, name: str, loss: Loss) -> None:
        """Raise ``ValueError`` if the measure does not fit what a loss predicts.

        Examples
        --------
        >>> import nnlayers as nn
        >>> MEASURES["accuracy"].check("accuracy", nn.MeanSquaredError())
        Traceback (most recent call last):
        ValueError: metric 'accuracy' needs a loss whose targets are classes, \
those of MeanSquaredError are values
        """
        loss_name = type(loss).__name__
        if self.is_for_values != (loss.targets == "values"):
            wanted, found = ("values", "classes") if self.is_for_values else ("classes", "values")
            raise ValueError(
                f"metric {name!r} needs a loss whose targets are {wanted}, "
                f"those of {loss_name} are {found}"
            )
        if self.needs_probabilities and not gives_log_odds(loss):
            raise ValueError(
                f"metric {name!r} needs probabilities, which SoftmaxCrossEntropy and "
                f"SigmoidCrossEntropy give, not {loss_name}"
            )


class _Counts(NamedTuple):
    """Weights of the rows of each label that are right, predicted and true."""

    right: Array
    predicted: Array
    true: Array


def _accuracy(rows: Predictions) -> float:
    true, predicted = rows.labels
    right = true == predicted
    return _mean_of_rows(right.mean(axis=1) if rows.is_multilabel else right, rows.weights)


def _balanced_accuracy(rows: Predictions) -> float:
    _refuse_several_labels("balanced_accuracy", rows)
    counts = _counts(rows)
    has_rows = counts.true > 0
    return _mean(counts.right[has_rows] / counts.true[has_rows])


def _f_score(rows: Predictions, name: str, average: str) -> float:
    """Return precision, recall or F1, averaged over the labels."""
    counts = _counts(rows)
    if average == "micro":
        counts = _Counts(*(part.sum(keepdims=True) for part in counts))
    precision, recall = (_ratio(counts.right, part) for part in (counts.predicted, counts.true))
    f1 = _ratio(2 * counts.right, counts.predicted + counts.true)
    values = {"precision": precision, "recall": recall, "f1": f1}[name]
    if average == "binary":
        if rows.is_multilabel or rows.scores.shape[1] != 2:
            averages = " or ".join(f"'{name}_{kind}'" for kind in ("macro", "micro", "weighted"))
            raise ValueError(f"metric {name!r} is that of two classes, use {averages}")
        return float(values[1])
    if average == "weighted":
        return float(values @ _ratio(counts.true, np.full_like(values, counts.true.sum())))
    if average == "macro" and not rows.is_multilabel:
        # Classes without rows that nothing predicted do not count.
        true, predicted = rows.labels
        used = sum(np.bincount(ids, minlength=len(values)) for ids in (true, predicted))
        values = values[used > 0]
    return _mean(values)


def _roc_auc(rows: Predictions) -> float:
    if rows.is_multilabel:
        true, z = rows.labels[0], rows.output.reshape(len(rows.output), -1)
        columns = zip(true.T, z.T.astype(FLOAT64), strict=True)
        return _mean(np.array([_area(t, score, rows.weights) for t, score in columns]))
    scores = rows.scores
    if scores.shape[1] != 2:
        raise ValueError(
            "metric 'roc_auc' is that of two classes, use 'roc_auc_ovr' or 'roc_auc_ovo'"
        )
    # Probabilities would be equal where they round to 1.
    return _area(rows.labels[0], scores[:, 1] - scores[:, 0], rows.weights)


def _roc_auc_ovr(rows: Predictions, weighted: bool) -> float:
    """Return the mean of the areas of each class against all others."""
    _refuse_several_labels("roc_auc_ovr", rows)
    true, odds, w = rows.labels[0], rows.log_odds, rows.weights
    classes = range(odds.shape[1])
    areas = np.array([_area(true == k, odds[:, k], w) for k in classes])
    shares = np.array([w[true == k].sum() for k in classes]) if weighted else np.ones(len(areas))
    return _mean_of_areas(areas, shares)


def _roc_auc_ovo(rows: Predictions, weighted: bool) -> float:
    """Return the mean of the areas of each class against each other one."""
    _refuse_several_labels("roc_auc_ovo", rows)
    true, odds, w = rows.labels[0], rows.log_odds, rows.weights
    areas, shares = [], []
    for a, b in combinations(range(odds.shape[1]), 2):
        pair = np.flatnonzero((true == a) | (true == b))
        each = [_area(true[pair] == k, odds[pair, k], w[pair]) for k in (a, b)]
        areas.append((each[0] + each[1]) / 2)
        shares.append(w[pair].sum() if weighted else 1.0)
    return _mean_of_areas(np.array(areas), np.array(shares))


def _log_loss(rows: Predictions) -> float:
    # The loss of the training may weight classes or smooth labels.
    loss = SoftmaxCrossEntropy() if rows.kind == "classes" else SigmoidCrossEntropy()
    return loss.forward(rows.output, rows.y_true, rows.weight)


def _mean_error(rows: Predictions, error: Callable[[Array, Array], Array], root: bool) -> float:
    """Return the mean of an error, or its square root, averaged over the numbers of a row."""
    true, predicted = rows.values
    means = _means_of_rows(error(true, predicted), rows.weights)
    return float(np.mean(np.sqrt(means) if root else means))


def _r2(rows: Predictions) -> float:
    true, predicted = rows.values
    if len(true) < 2:
        return float("nan")
    unexplained = _means_of_rows((true - predicted) ** 2, rows.weights)
    variance = _means_of_rows((true - _means_of_rows(true, rows.weights)) ** 2, rows.weights)
    # Of equal targets, scikit-learn counts a perfect prediction as 1 and any other as 0.
    of_equal = np.where(unexplained == 0, 1.0, np.where(np.isnan(unexplained), np.nan, 0.0))
    r2 = np.where(variance == 0, of_equal, 1 - unexplained / variance)
    return float(r2.mean())


def _absolute(true: Array, predicted: Array) -> Array:
    return np.asarray(np.abs(true - predicted))


def _squared(true: Array, predicted: Array) -> Array:
    return np.asarray(np.square(true - predicted))


def _absolute_share(true: Array, predicted: Array) -> Array:
    share: Array = np.abs(true - predicted) / np.maximum(np.abs(true), np.finfo(FLOAT64).eps)
    return share


def _counts(rows: Predictions) -> _Counts:
    true, predicted = rows.labels
    if rows.is_multilabel:
        w = rows.weights[:, None]
        return _Counts(*((part * w).sum(axis=0) for part in (true * predicted, predicted, true)))
    classes = rows.scores.shape[1]
    right = np.where(true == predicted, rows.weights, 0)
    return _Counts(
        np.bincount(true, right, classes),
        np.bincount(predicted, rows.weights, classes),
        np.bincount(true, rows.weights, classes),
    )


def _area(is_positive: Array, score: Array, w: Array) -> float:
    """Return the area under the ROC curve; NaN without rows of either kind.

    It is the probability that a positive row has a larger score than a negative one, where equal
    scores count half.
    """
    if np.isnan(score).any():
        return float("nan")
    position = np.unique(score, return_inverse=True)[1]
    positive = np.bincount(position, w * is_positive)
    negative = np.bincount(position, w * (1 - is_positive))
    below = np.cumsum(negative) - negative / 2
    total = positive.sum() * negative.sum()
    return float(positive @ below / total) if total else float("nan")


def _mean_of_areas(areas: Array, shares: Array) -> float:
    """Return the weighted mean of those areas that are defined."""
    # A class without rows, as there may be in a small validation set, has none.
    defined = ~np.isnan(areas)
    total = shares[defined].sum()
    return float(areas[defined] @ shares[defined] / total) if total else float("nan")


def _refuse_several_labels(name: str, rows: Predictions) -> None:
    if rows.is_multilabel:
        labels = rows.output[0].size
        raise ValueError(f"metric {name!r} needs one class a row, got {labels} labels")


def _ratio(a: Array, b: Array) -> Array:
    """Return a / b, with 0 for a division by 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def _means_of_rows(x: Array, w: Array) -> Array:
    """Return the weighted mean of each column; rows of weight 0 may hold anything."""
    total = w.sum()
    if not total:
        return np.full(x.shape[1:], np.nan)
    if not w.all():
        w, x = w[w > 0], x[w > 0]
    means: Array = w @ x / total
    return means


def _mean_of_rows(x: Array, w: Array) -> float:
    return float(_means_of_rows(x[:, None], w)[0])


# The averages over classes, by the endings of the names.
_AVERAGES = {"": "binary", "_macro": "macro", "_micro": "micro", "_weighted": "weighted"}

MEASURES: dict[str, Measure] = {
    "accuracy": Measure(_accuracy, True),
    "balanced_accuracy": Measure(_balanced_accuracy, True),
    **{
        name + ending: Measure(partial(_f_score, name=name, average=average), True)
        for name in ("f1", "precision", "recall")
        for ending, average in _AVERAGES.items()
    },
    "roc_auc": Measure(_roc_auc, True),
    **{
        f"roc_auc_{kind}{ending}": Measure(partial(area, weighted=weighted), True, False, True)
        for kind, area in (("ovr", _roc_auc_ovr), ("ovo", _roc_auc_ovo))
        for ending, weighted in (("", False), ("_weighted", True))
    },
    "log_loss": Measure(_log_loss, False, False, True),
    **{
        name: Measure(partial(_mean_error, error=error, root=root), False, True)
        for names, error, root in (
            (("mean_absolute_error", "mae"), _absolute, False),
            (("mean_squared_error", "mse"), _squared, False),
            (("root_mean_squared_error", "rmse"), _squared, True),
            (("mean_absolute_percentage_error", "mape"), _absolute_share, False),
        )
        for name in names
    },
    "r2": Measure(_r2, True, True),
}


def is_larger_better(column: str) -> bool | None:
    """Return whether large values of a column of the history are good; None if the name is open.

    Besides the names of the measures, those that end in ``accuracy`` or ``_score`` are good when
    large, and those that end in ``loss``, ``_error`` or ``_deviance`` when small. This is
    scikit-learn's convention for the names of metrics. The name of an output may follow.

    Examples
    --------
    >>> [is_larger_better(name) for name in ("val_roc_auc", "mae", "loss_price", "my_score", "x")]
    [True, False, False, True, None]
    """
    name = column.removeprefix("val_")
    if name in MEASURES:
        return MEASURES[name].is_larger_better
    if name.endswith(("accuracy", "_score")):
        return True
    if name.endswith(("loss", "_error", "_deviance")) or name.startswith("loss_"):
        return False
    known = [measure for measure in MEASURES if name.startswith(f"{measure}_")]
    return MEASURES[max(known, key=len)].is_larger_better if known else None
