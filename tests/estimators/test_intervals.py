"""Prediction intervals around regressors."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nnlayers as nn
from nnlayers.estimators import (
    ConformalRegressor,
    MLPRegressor,
    conformity_scores,
    split_interval,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (3000, 2))
Y = X[:, 0] + (0.1 + np.abs(X[:, 1])) * RNG.normal(size=3000)
TRAIN, TEST = slice(0, 1000), slice(1000, None)
NETWORK = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.02}
NETWORK |= {"random_state": 0}


def quantile(q):
    return MLPRegressor(nn.Quantile(q), **NETWORK)


def is_held(interval):
    return (interval[:, 0] <= Y[TEST]) & (Y[TEST] <= interval[:, 1])


@parametrize_with_checks([ConformalRegressor(LinearRegression(), folds=2)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_for_estimators_holds(estimator, check):
    if "sample_weight_equivalence" in check.func.__name__:
        pytest.skip("a row that is repeated is in several folds, one of weight 2 in one")
    check(estimator)


@pytest.mark.parametrize("method", ["cv+", "split"])
@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": LinearRegression()},
        {"estimator": MLPRegressor("gaussian_nll", **NETWORK), "uses_std": True},
        {"estimator": quantile(0.05), "upper": quantile(0.95)},
    ],
    ids=["values", "gaussian", "quantiles"],
)
def test_intervals_hold_as_many_targets_as_asked_for(settings, method):
    model = ConformalRegressor(**settings, method=method, folds=3, random_state=0)
    model.fit(X[TRAIN], Y[TRAIN])
    for coverage in (0.5, 0.9):
        interval = model.predict_interval(X[TEST], coverage)
        # Three standard errors, of the rows that are held out and of those that are predicted.
        error = 3 * np.sqrt(coverage * (1 - coverage) * (1 / 250 + 1 / 2000))
        assert abs(is_held(interval).mean() - coverage) < error
    assert interval.shape == (2000, 2)
    prediction = model.predict(X[TEST])
    assert np.corrcoef(prediction, Y[TEST])[0, 1] > 0.6
    assert np.mean((interval[:, 0] < prediction) & (prediction < interval[:, 1])) > 0.99


def test_scaled_intervals_are_wide_where_the_noise_is():
    gaussian = MLPRegressor("gaussian_nll", **NETWORK)
    model = ConformalRegressor(gaussian, uses_std=True, folds=3, random_state=0)
    widths = np.ptp(model.fit(X[TRAIN], Y[TRAIN]).predict_interval(X[TEST]), axis=1)
    noisy = np.abs(X[TEST, 1]) > 0.5
    assert widths[noisy].mean() > 1.5 * widths[~noisy].mean()


def test_each_row_is_scored_by_a_model_that_was_trained_without_it():
    model = ConformalRegressor(LinearRegression(), folds=4, random_state=0).fit(X[:50], Y[:50])
    folds = KFold(4, shuffle=True, random_state=np.random.RandomState(0)).split(X[:50])
    for fold, (train, held_out) in enumerate(folds):
        alone = LinearRegression().fit(X[train], Y[train])
        residuals = np.abs(Y[held_out] - alone.predict(X[held_out]))
        np.testing.assert_allclose(model.scores_[model.folds_ == fold], residuals)


def test_rows_of_weight_zero_are_left_out():
    weight = np.repeat([0.0, 2.0], 50)
    settings = {"folds": 3, "random_state": 0}
    weighted = ConformalRegressor(LinearRegression(), **settings).fit(X[:100], Y[:100], weight)
    alone = ConformalRegressor(LinearRegression(), **settings).fit(X[50:100], Y[50:100])
    expected = alone.predict_interval(X[TEST])
    np.testing.assert_allclose(weighted.predict_interval(X[TEST]), expected)


def test_frames_pipelines_and_pickles():
    frame = pd.DataFrame(X, columns=["a", "b"])
    pipeline = make_pipeline(StandardScaler(), LinearRegression())
    model = ConformalRegressor(pipeline, random_state=0).fit(frame[:100], pd.Series(Y[:100]))
    assert list(model.feature_names_in_) == ["a", "b"]
    copied = pickle.loads(pickle.dumps(model))
    expected = model.predict_interval(frame[TEST])
    np.testing.assert_array_equal(copied.predict_interval(frame[TEST]), expected)


def test_threads_give_the_same_intervals():
    settings = {"folds": 3, "random_state": 0}
    one = ConformalRegressor(LinearRegression(), **settings).fit(X[:60], Y[:60])
    with joblib.parallel_config(backend="threading"):
        two = ConformalRegressor(LinearRegression(), **settings, n_jobs=2).fit(X[:60], Y[:60])
    np.testing.assert_array_equal(one.predict_interval(X), two.predict_interval(X))


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="uses_std=True needs one estimator, got upper as well"):
        ConformalRegressor(quantile(0.1), upper=quantile(0.9), uses_std=True).fit(X, Y)
    with pytest.raises(ValueError, match="folds must be at most n_samples=4, got 5"):
        ConformalRegressor(LinearRegression()).fit(X[:4], Y[:4])
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        ConformalRegressor(LinearRegression()).fit(X[:9], Y[:9], -np.ones(9))
    with pytest.raises(TypeError, match="uses_std=True needs an estimator that predicts its err"):
        ConformalRegressor(LinearRegression(), uses_std=True).fit(X, Y)
    with pytest.raises(NotFittedError):
        ConformalRegressor(LinearRegression()).predict_interval(X)
    with pytest.raises(ValueError, match="'method' parameter of ConformalRegressor must be"):
        ConformalRegressor(LinearRegression(), method="bootstrap").fit(X, Y)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_the_intervals_are_those_of_mapie(coverage):
    mapie = pytest.importorskip("mapie.regression")
    settings = {"confidence_level": coverage}
    linear = LinearRegression().fit(X[:100], Y[:100])
    split = mapie.SplitConformalRegressor(linear, **settings, prefit=True)
    split.conformalize(X[100:200], Y[100:200])
    scores = conformity_scores(Y[100:200], linear.predict(X[100:200]))
    ours = split_interval(scores, linear.predict(X[TEST]), coverage=coverage)
    np.testing.assert_allclose(ours, split.predict_interval(X[TEST])[1][:, :, 0], rtol=1e-12)
    folds = KFold(5, shuffle=True, random_state=0)
    plus = mapie.CrossConformalRegressor(LinearRegression(), **settings, cv=folds, method="plus")
    plus.fit_conformalize(X[:200], Y[:200])
    model = ConformalRegressor(LinearRegression(), random_state=0).fit(X[:200], Y[:200])
    ours = model.predict_interval(X[TEST], coverage)
    np.testing.assert_allclose(ours, plus.predict_interval(X[TEST])[1][:, :, 0], rtol=1e-12)
