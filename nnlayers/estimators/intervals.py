"""Prediction intervals for any regressor."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, _fit_context, clone
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import (
    _safe_indexing,
    check_array,
    check_random_state,
    column_or_1d,
    indexable,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from nnlayers._core.arrays import Array, refuse_masked
from nnlayers.estimators.checks import as_row_weights, check_parameters, in_one_line
from nnlayers.estimators.conformal import conformity_scores, cv_plus_interval

__all__ = ["ConformalRegressor"]

# The method "split" holds out this share of the rows.
_HELD_OUT = 0.25


class ConformalRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    r"""Prediction intervals around any regressor, whose coverage does not depend on its quality.

    The regressor is trained without some rows and scored on these; an interval is its prediction,
    widened by a quantile of the scores. If the rows to predict are exchangeable with those of
    ``fit``, the intervals hold the target with about the coverage that is asked for, on average
    over rows; :doc:`/guide/uncertainty` says what that promises and what it does not.

    Parameters
    ----------
    estimator : estimator
        The regressor, or the regressor of the lower quantile.
    upper : estimator, optional
        The regressor of the upper quantile: intervals are then those of conformalised quantile
        regression.
    method : {"cv+", "split"}
        ``"cv+"`` trains `folds` copies, each without one fold, and no row is lost, see
        :func:`cv_plus_interval`; ``"split"`` trains one copy on three quarters of the rows, see
        :func:`split_interval`.
    folds : int
        The number of folds of ``"cv+"``, at least 2.
    uses_std : bool
        Whether scores and widths are in units of the standard deviation that
        ``estimator.predict(X, return_std=True)`` gives, as for a Gaussian network.
    n_jobs : int, optional
        The number of copies to train at the same time, by joblib.
    random_state : int, RandomState or None
        Source of the split into folds.

    Attributes
    ----------
    models_ : list
        For each fold the trained copy of `estimator`, or the pair of copies if there is `upper`.
    scores_ : ndarray
        The scores of the rows that were held out, see :func:`conformity_scores`.
    folds_ : ndarray
        The fold of each of them.

    References
    ----------
    R. F. Barber et al., "Predictive inference with the jackknife+", Annals of Statistics 49, 2021;
    Y. Romano et al., "Conformalized quantile regression", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(9000, 1))
    >>> y = X[:, 0] + rng.uniform(-1, 1, 9000)
    >>> model = ConformalRegressor(LinearRegression(), random_state=0).fit(X[:1000], y[:1000])
    >>> low, high = model.predict_interval(X[1000:], coverage=0.9).T
    >>> float(np.mean((low <= y[1000:]) & (y[1000:] <= high)).round(2))
    0.9
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "upper": [HasMethods(["fit", "predict"]), None],
        "method": [StrOptions({"cv+", "split"})],
        "folds": [Interval(Integral, 2, None, closed="left")],
        "uses_std": ["boolean"],
        "n_jobs": [Interval(Integral, -1000, 1000, closed="both"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        upper: Any = None,
        method: str = "cv+",
        folds: int = 5,
        uses_std: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.upper = upper
        self.method = method
        self.folds = folds
        self.uses_std = uses_std
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the copies, and score the rows that each was trained without.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix, shape (n_samples, n_features)
            Inputs, as `estimator` takes them.
        y : array-like of numbers, shape (n_samples,)
            Targets.
        sample_weight : array-like of numbers of at least 0, shape (n_samples,), optional
            Weights of the rows, with which the copies are trained. Rows of weight 0 are left out;
            all others count alike in the scores.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are fewer rows than folds, or `uses_std` and `upper` are both set.
        """
        if self.uses_std and self.upper is not None:
            raise ValueError("uses_std=True needs one estimator, got upper as well")
        refuse_masked(y, "y")
        with in_one_line():
            X, y = indexable(X, y)
            y = column_or_1d(y, warn=True)
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        weight = None
        if sample_weight is not None:
            weight = as_row_weights(sample_weight, X)
            used = np.flatnonzero(weight)
            X, y, weight = _safe_indexing(X, used), y[used], weight[used]
        splits = self._splits(len(y))
        with in_one_line():
            self.models_ = Parallel(n_jobs=self.n_jobs)(
                delayed(self._train)(X, y, weight, train) for train, _ in splits
            )
        scores = []
        for models, (_, held_out) in zip(self.models_, splits, strict=True):
            low, high, scale = self._predict(models, _safe_indexing(X, held_out))
            scores.append(conformity_scores(y[held_out], low, high, scale))
        self.scores_ = np.concatenate(scores)
        self.folds_ = np.repeat(np.arange(len(splits)), [len(fold) for fold in scores])
        first = self._copies(self.models_[0])[0]
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        return self

    def predict(self, X: Any) -> Array:
        """Return the predicted value of each row: the mean over the folds' copies.

        Of two quantiles it is the middle between them.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples,)
        """
        low, high, _ = self._predict_all(X)
        middle = low if high is None else (low + high) / 2
        mean: Array = middle.mean(axis=1)
        return mean

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Array:
        """Return an interval for each row that holds its target with some probability.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix, shape (n_samples, n_features)
            Inputs.
        coverage : float
            The probability, above 0 and below 1.

        Returns
        -------
        ndarray, shape (n_samples, 2)
            Lower and upper ends; infinite if ``fit`` had too few rows for the coverage.
        """
        low, high, scale = self._predict_all(X)
        return cv_plus_interval(
            self.scores_, self.folds_, low, high, coverage=coverage, scale=scale
        )

    def _validate_params(self) -> None:
        """Check the parameters, as scikit-learn's decorator of `fit` asks for."""
        parameters = self.get_params(deep=False)
        check_parameters(type(self).__name__, parameters, self._parameter_constraints)

    def _splits(self, rows: int) -> list[tuple[Array, Array]]:
        """Return the rows to train on and those held out, for each copy."""
        rng = check_random_state(self.random_state)
        if self.method == "split":
            return [train_test_split(np.arange(rows), test_size=_HELD_OUT, random_state=rng)]
        if self.folds > rows:
            raise ValueError(f"folds must be at most n_samples={rows}, got {self.folds}")
        folds = KFold(self.folds, shuffle=True, random_state=rng)
        return list(folds.split(np.arange(rows)))

    def _train(self, X: Any, y: Array, weight: Array | None, rows: Array) -> Any:
        """Return the estimator, or the pair of estimators, trained on some rows."""
        options = {} if weight is None else {"sample_weight": weight[rows]}
        part = _safe_indexing(X, rows), y[rows]
        lower = clone(self.estimator).fit(*part, **options)
        return lower if self.upper is None else (lower, clone(self.upper).fit(*part, **options))

    def _copies(self, models: Any) -> tuple[Any, ...]:
        return (models,) if self.upper is None else models

    def _predict(self, models: Any, X: Any) -> tuple[Array, Array | None, Array | None]:
        """Return the lower and the upper prediction and the scale, of which some may be None."""
        if self.uses_std:
            try:
                mean, std = models.predict(X, return_std=True)
            except TypeError as error:
                message = f"uses_std=True needs an estimator that predicts its error: {error}"
                raise TypeError(message) from None
            return mean, None, std
        low, *high = (model.predict(X) for model in self._copies(models))
        return low, (high[0] if high else None), None

    def _predict_all(self, X: Any) -> tuple[Array, Array | None, Array | None]:
        """Return the predictions of all copies side by side."""
        check_is_fitted(self, "models_")
        with in_one_line():
            predictions = [self._predict(models, X) for models in self.models_]
        low, *others = zip(*predictions, strict=True)
        high, scale = (None if part[0] is None else np.column_stack(part) for part in others)
        return np.column_stack(low), high, scale

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags

        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
