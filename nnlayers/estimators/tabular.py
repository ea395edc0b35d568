"""Estimators for tables: a classifier and a regressor with nothing to tune."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice
from nnlayers.data.scaling import Standardizer
from nnlayers.estimators.calibration import fit_temperature
from nnlayers.estimators.conformal import conformity_scores, cv_plus_interval, split_interval
from nnlayers.estimators.table_training import EncodedRows
from nnlayers.estimators.tabular_base import BaseTabular
from nnlayers.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy

__all__ = ["TabularClassifier", "TabularRegressor"]


class TabularClassifier(ClassifierMixin, BaseTabular):
    r"""Classifier for tables as they are, with nothing to tune.

    It takes numbers of any distribution, booleans, categories, text, dates and missing values, from
    a DataFrame or an array. :doc:`/guide/tabular` says what is made of each column.

    Several networks are trained, each without some of the rows: below 5,000 rows five networks, of
    which each leaves out another fifth, from then on four that leave out a tenth each. A network
    consists of members that share most of their weights, see :class:`nnlayers.EnsembleAffine`. The
    weights are those of the moment at which the rows left out were predicted best, and
    probabilities are means over all members, calibrated by a temperature T on the same rows:

    .. math:: p(x) = \operatorname{softmax}\Big(\frac1T \log \frac1M
        \sum_{m=1}^M \operatorname{softmax}(f_m(x))\Big)

    The result depends on `random_state`, and without `time_limit` not on the order of the rows.

    Parameters
    ----------
    time_limit : float, optional
        The most seconds that a fit may take. If the time is too short for all rows or networks, it
        takes fewer of them. Without a limit, a fit takes a number of steps that depends on the size
        of the table only, and is the same each time.
    members : int
        The number of members of all networks, at least one for each; more are more accurate, and
        need more time.
    random_state : int, RandomState or None
        The generator of all draws, or its seed.
    engine : {"auto", "compiled", "numpy"}
        What runs the steps, see :doc:`/guide/engine`.

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    networks_ : list of Sequential
        The trained networks, which take encoded rows.
    temperature_ : float
        The temperature T; above 1 if the members alone are too sure.
    losses_ : list of float
        The log loss of the rows left out at each measurement, each with its own best temperature.
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of str
        The names of the columns, if X has a name for each.

    References
    ----------
    Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025; D. Holzmüller, L. Grinsztajn and I. Steinwart,
    "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = TabularClassifier(members=1, random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.9
    True
    """

    @property
    def _outputs(self) -> int:
        return len(self.classes_)

    def _prepare(self, y: Array) -> tuple[Array, Array, Loss]:
        check_classification_targets(y)
        self.classes_, ids = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least two classes, got only {self.classes_[0]}")
        return ids, ids, SoftmaxCrossEntropy()

    def _measure(self, outputs: Array, rows: EncodedRows) -> float:
        logits = _mean_log_probabilities(outputs)
        temperature = fit_temperature(logits, rows.target, rows.weight)
        losses = -log_softmax(logits / temperature, axis=1)[np.arange(len(rows)), rows.target]
        return float(np.average(losses, weights=rows.weight))

    def _finish(self, outputs: Array, rows: EncodedRows, folds: Array) -> None:
        logits = _mean_log_probabilities(outputs)
        self.temperature_ = fit_temperature(logits, rows.target, rows.weight)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : DataFrame or array-like, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray, shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, a column for each of ``classes_``.

        Parameters
        ----------
        X : DataFrame or array-like, shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
        """
        logits = _mean_log_probabilities(self._predict_members(X))
        probabilities: Array = softmax(logits / self.temperature_, axis=1)
        return probabilities


class TabularRegressor(RegressorMixin, BaseTabular):
    r"""Regressor for tables as they are, with nothing to tune.

    Columns, networks, the parameters and the other attributes are those of
    :class:`TabularClassifier`. A prediction is the mean of all members, within the range of y in
    training.

    With the mean :math:`\mu(x)` and the variance :math:`v(x)` of the members, the standard
    deviation is :math:`\sqrt{v(x) + s^2}`. The noise :math:`s^2` is the mean squared error of the
    rows that a network left out, less their mean variance.

    Attributes
    ----------
    losses_ : list of float
        The mean squared error of the rows left out at each measurement, of standardised y.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularRegressor(members=1, random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.3
    True
    >>> model.predict_interval(X[1:3], coverage=0.8).shape
    (2, 2)
    """

    _outputs = 1

    def _prepare(self, y: Array) -> tuple[Array, Array, Loss]:
        values = y.astype(np.float64)
        self._scaler = Standardizer.fit(values)
        self._range = float(values.min()), float(values.max())
        target = self._scaler.scaled(values).astype(np.float32)
        return target, np.zeros(len(y), int), MeanSquaredError()

    def _measure(self, outputs: Array, rows: EncodedRows) -> float:
        errors = (outputs.mean(axis=1) - rows.target)[:, 0].astype(np.float64)
        return float(np.average(errors**2, weights=rows.weight))

    def _finish(self, outputs: Array, rows: EncodedRows, folds: Array) -> None:
        error = self._measure(outputs, rows)
        disagreement = float(np.average(_variance(outputs), weights=rows.weight))
        # Members that disagree more than they err would leave no noise.
        self._noise = max(error - disagreement, 0.01 * error, 1e-12)
        values, deviations = self._moments(outputs)
        targets = self._scaler.raw(rows.target[:, 0].astype(np.float64))
        self._scores = conformity_scores(targets, values, scale=deviations)
        self._folds = folds

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return the predicted value of each row.

        Parameters
        ----------
        X : DataFrame or array-like, shape (n_samples, n_features)
            The rows.
        return_std : bool
            Whether to return standard deviations too.

        Returns
        -------
        ndarray, shape (n_samples,)
            The values; with `return_std`, a pair of such arrays.
        """
        values, deviations = self._moments(self._predict_members(X))
        return (values, deviations) if return_std else values

    def predict_interval(self, X: Any, coverage: float = 0.9, method: str = "cv") -> Array:
        r"""Return an interval for each row that holds its value with about a probability.

        The score of a training row is its error, by the network that left it out, in units of that
        network's standard deviation. With the prediction :math:`\mu`, the standard deviations
        :math:`s_k` of the K networks and a quantile q of the scores, the ends are

        .. math:: \mu(x) \pm \frac qK \sum_{k=1}^K s_k(x)

        The mean of the networks errs less than one of them. ``"cv+"`` adds the distances between
        the networks to the errors instead: intervals are wider, and cover a little more than is
        asked for, but with a guarantee, see :doc:`/guide/uncertainty`.

        Parameters
        ----------
        X : DataFrame or array-like, shape (n_samples, n_features)
            The rows.
        coverage : float
            The probability, above 0 and below 1.
        method : {"cv", "cv+"}
            The intervals around the prediction, as of
            :func:`~nnlayers.estimators.conformal.split_interval`, or those of
            :func:`~nnlayers.estimators.conformal.cv_plus_interval`.

        Returns
        -------
        ndarray, shape (n_samples, 2)
            Lower and upper ends; infinite if there are too few rows for the coverage.

        References
        ----------
        R. F. Barber et al., "Predictive inference with the jackknife+", Annals of Statistics 49,
        2021, compares both.
        """
        check_choice("method", method, ("cv", "cv+"))
        outputs = self._predict_members(X)
        networks = np.split(outputs, len(self.networks_), axis=1)
        values, scales = (
            np.stack(part, axis=1) for part in zip(*map(self._moments, networks), strict=True)
        )
        if method == "cv+":
            return cv_plus_interval(
                self._scores, self._folds, values, coverage=coverage, scale=scales
            )
        center, _ = self._moments(outputs)
        return split_interval(self._scores, center, coverage=coverage, scale=scales.mean(axis=1))

    def _moments(self, outputs: Array) -> tuple[Array, Array]:
        """Return the mean and the standard deviation of each row, in the units of y."""
        values = self._scaler.raw(outputs[:, :, 0].astype(np.float64).mean(axis=1))
        deviations = self._scaler.scale * np.sqrt(_variance(outputs) + self._noise)
        return np.clip(values, *self._range), deviations


def _mean_log_probabilities(outputs: Array) -> Array:
    """Return the logarithm of the members' mean probabilities, of shape (rows, classes)."""
    mean = softmax(outputs.astype(np.float64), axis=2).mean(axis=1)
    return np.asarray(np.log(np.maximum(mean, 1e-30)))


def _variance(outputs: Array) -> Array:
    """Return the variance of the members' outputs of each row."""
    return np.asarray(outputs[:, :, 0].astype(np.float64).var(axis=1))
