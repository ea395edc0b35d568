"""Score a trained model on rows with known targets, beside a constant prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice, check_number
from nnlayers.config.predictor import Predictor
from nnlayers.data import DataError, Preprocessing, Table
from nnlayers.data.problems import count_of
from nnlayers.losses import Huber, Loss, MeanAbsoluteError, Quantile
from nnlayers.training.metrics import Metric, Metrics
from nnlayers.training.predictions import Predictions

__all__ = ["Baseline", "Scores", "score"]

_STATISTICS: dict[str, Callable[[Array], Any]] = {"mean": np.mean, "median": np.median}
# Metrics in the first line of a report, and how it writes them.
_FORMATS = {"accuracy": "accuracy {:.1%}", "r2": "R2 {:z.3f}", "rmse": "RMSE {:.4g}"}
_MAX_LABEL = 40


@dataclass(frozen=True)
class Baseline:
    """A constant prediction, learnt from the targets of the training rows.

    For classes it predicts their shares, and with them the most frequent class. For numbers it is
    the mean, or the median if the loss is one that medians minimise.

    Attributes
    ----------
    counts : tuple of float
        The number of rows, or the sum of their weights, of each class; empty for numbers.
    statistic : {"", "mean", "median"}
        The kind of constant; empty for classes.
    value : float
        The constant, in the units of the data.

    Examples
    --------
    >>> Baseline(counts=(1, 3)).describe(("no", "yes"))
    'always yes'
    >>> Baseline(statistic="mean", value=151.76).describe(())
    'always 151.8, the mean'
    """

    counts: tuple[float, ...] = ()
    statistic: str = ""
    value: float = 0.0

    @classmethod
    def fit(
        cls,
        preprocessing: Preprocessing,
        loss: Loss,
        targets: Array,
        weights: Array | None = None,
    ) -> Self:
        """Return the baseline of the encoded targets, and the weights, of the training rows."""
        if preprocessing.classes:
            codes = targets.ravel().astype(np.intp)
            counts = np.bincount(codes, weights, len(preprocessing.classes))
            return cls(counts=tuple(counts.tolist()))
        is_robust = isinstance(loss, MeanAbsoluteError | Huber | Quantile)
        statistic = "median" if is_robust else "mean"
        values = preprocessing.decode(targets)
        if weights is None or not weights.any():
            value = _STATISTICS[statistic](values)
        elif is_robust:
            value = np.quantile(values, 0.5, weights=weights, method="inverted_cdf")
        else:
            value = np.average(values, weights=weights)
        return cls(statistic=statistic, value=float(value))

    def predictions(self, model: Predictions, loss: Loss) -> Predictions:
        """Return what the baseline predicts for the rows for which a model has predicted."""
        if not self.counts:
            return replace(model, y_pred=np.full_like(model.y_pred, self.value))
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.log(np.array(self.counts, float))
            if loss.targets == "binary":
                scores = scores[1:] - scores[:1]
        output = np.broadcast_to(scores, (len(model.y_true), len(scores)))
        return replace(model, output=output, y_pred=loss.decide(output))

    def describe(self, classes: tuple[Any, ...]) -> str:
        """Return the constant in words."""
        if not self.counts:
            return f"always {self.value:.4g}, the {self.statistic}"
        label = str(classes[int(np.argmax(self.counts))])
        return f"always {label if len(label) <= _MAX_LABEL else f'{label[:_MAX_LABEL]}...'}"

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline in JSON's types."""
        if self.counts:
            return {"counts": list(self.counts)}
        return {"statistic": self.statistic, "value": self.value}

    @classmethod
    def from_dict(cls, data: Any, preprocessing: Preprocessing) -> Self:
        """Return the baseline of a dictionary that :meth:`to_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing or malformed, or does not fit the target.
        """
        try:
            if not preprocessing.classes:
                check_choice("statistic", data["statistic"], _STATISTICS)
                value = check_number("value", data["value"])
                return cls(statistic=data["statistic"], value=value)
            counts = [check_number("counts", count, minimum=0) for count in data["counts"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a baseline: {error}") from None
        if len(counts) != len(preprocessing.classes):
            raise ValueError(f"not a baseline of {len(preprocessing.classes)} classes")
        return cls(counts=tuple(counts))


@dataclass(frozen=True)
class Scores:
    """Loss and metrics of a model for some rows, beside those of a constant prediction.

    ``str(scores)`` is the line that states both.

    Attributes
    ----------
    values : dict of str to float
        ``"loss"``, ``"accuracy"`` or ``"rmse"`` and ``"r2"``, and the other metrics.
    baseline : dict of str to float
        The metrics of the constant prediction; empty without one.
    constant : str
        The constant prediction in words.
    predictions : Predictions
        The rows' targets and predictions.
    """

    values: dict[str, float]
    baseline: dict[str, float]
    constant: str
    predictions: Predictions

    def __len__(self) -> int:
        return len(self.predictions.y_true)

    def to_dict(self) -> dict[str, float | None]:
        """Return all numbers by name, those of the constant with ``baseline_`` before them.

        JSON has no NaN and no infinity: None stands for them.
        """
        scores = self.values | {f"baseline_{name}": x for name, x in self.baseline.items()}
        known = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        return {"rows": len(self), **known}

    def __str__(self) -> str:
        text = f"test {_list(self.values)}"
        if self.baseline:
            text += f" against baseline {_list(self.baseline)}, {self.constant}"
        return f"{text} (loss {self.values['loss']:.4g}, {count_of(len(self), 'row')})"


def score(
    predictor: Predictor,
    table: Table,
    metrics: Iterable[str | Metric] = (),
    baseline: Baseline | None = None,
) -> Scores:
    """Score a model on rows with known targets, numbers in the units of the data.

    The weights of rows count in loss and metrics.

    Parameters
    ----------
    predictor : Predictor
        The model.
    table : Table
        The rows.
    metrics : iterable of str or callable
        Metrics besides ``"accuracy"`` for classes, and ``"rmse"`` and ``"r2"`` for numbers.
    baseline : Baseline, optional
        The constant prediction to measure too.

    Raises
    ------
    DataError
        If there are no rows, they lack the target, or all their weights are 0.
    """
    if not len(table):
        raise DataError(f"{table.origin}: there are no rows to score")
    weights = table.weights
    if weights is not None and not weights.any():
        raise DataError(f"{table.origin}: the weights of the rows to score are all 0")
    loss, preprocessing = predictor.loss, predictor.preprocessing
    target = preprocessing.targets(table, predictor.dtype)
    output = predictor.outputs(table)
    standard = ["accuracy"] if preprocessing.classes else ["rmse", "r2"]
    measured = Metrics(list(dict.fromkeys([*standard, *metrics])), loss)
    predictions = Predictions.of(loss, target, output, weights, preprocessing.decode)
    values = {"loss": loss.forward(output, target, weights)}
    values |= measured.measure_predictions(predictions)
    if baseline is None:
        return Scores(values, {}, "", predictions)
    constant = measured.measure_predictions(baseline.predictions(predictions, loss))
    return Scores(values, constant, baseline.describe(preprocessing.classes), predictions)


def _list(values: Mapping[str, float]) -> str:
    """Return metrics as text, the usual ones first.

    Examples
    --------
    >>> _list({"loss": 0.5, "rmse": 53.1, "r2": 0.4512, "mae": 41.0})
    'R2 0.451, RMSE 53.1, mae 41'
    >>> _list({"r2": -1e-6, "rmse": 70.0})
    'R2 0.000, RMSE 70'
    """
    texts = [text.format(values[name]) for name, text in _FORMATS.items() if name in values]
    others = [name for name in values if name != "loss" and name not in _FORMATS]
    return ", ".join(texts + [f"{name} {values[name]:.4g}" for name in others])
