"""Fits that diverge raise an error or warn, whatever their settings."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

import nnlayers as nn
from nnlayers.estimators import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = 1e6 * X[:, 0]
CLASS = (Y > 0).astype(int)
WAYS = {
    "plain": {},
    "early stopping": {"early_stopping": True},
    "restoring callback": {"callbacks": [nn.callbacks.EarlyStopping("loss")]},
    "no penalty": {"alpha": 0.0, "early_stopping": True},
    "normalization": {"normalization": "layer", "early_stopping": True},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rate", [1e3, 1e100, 1e300])
@pytest.mark.parametrize("way", WAYS)
def test_infinite_weights_or_losses_are_a_value_error(way, rate, sparse):
    model = MLPRegressor(solver="sgd", learning_rate_init=rate, random_state=0, **WAYS[way])
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(scipy.sparse.csr_matrix(X) if sparse else X, Y)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("exponent", [0, 3, 50, 100, 200, 300])
def test_a_fit_is_good_or_reports_that_it_is_not(exponent, estimator, solver, early_stopping):
    classes = estimator is MLPClassifier
    model = estimator(
        hidden_layer_sizes=(20,), solver=solver, learning_rate_init=10.0**exponent,
        early_stopping=early_stopping, max_iter=20, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, CLASS if classes else Y)
        except ValueError:
            return
    assert np.isfinite(model.loss_)
    rose = any("rose from" in str(warning.message) for warning in caught)
    assert rose or max(np.abs(w).max() for w in model.coefs_) < 1e6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights_whose_squares_overflow_are_a_value_error():
    def explode(trainer):
        trainer.model[0].W.value[...] = 4e204

    callbacks = [nn.callbacks.LambdaCallback(explode)]
    with pytest.raises(ValueError, match="non-finite loss, inf"):
        MLPClassifier(callbacks=callbacks, early_stopping=True, max_iter=5).fit(X, CLASS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_loss_that_is_never_finite_is_a_value_error(solver):
    with pytest.raises(ValueError, match="non-finite"):
        MLPRegressor(solver=solver, random_state=0).fit(X, Y * 1e200)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_that_are_never_finite_are_a_value_error():
    model = MLPRegressor(early_stopping=True, max_iter=3, random_state=0)
    with pytest.raises(
        ValueError, match=r"an epoch with a finite validation score, got (nan|-inf)"
    ):
        model.fit(X, X[:, 0], validation_data=(X * 1e300, X[:, 0]))


def test_partial_fit_is_a_value_error_from_the_first_infinite_loss_on():
    model = MLPRegressor(solver="sgd", learning_rate_init=1e3, random_state=0)
    while model.partial_fit(X, Y).loss_ < 1e100:
        pass
    model.learning_rate_init = 1e300
    with pytest.raises(ValueError, match="non-finite"):
        model.partial_fit(X, Y).partial_fit(X, Y)
    assert not np.isfinite(model.loss_)
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="weights must be finite"):
        model.partial_fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_warm_start_needs_finite_weights(solver):
    model = MLPRegressor(solver=solver, warm_start=True, max_iter=3, random_state=0).fit(X, X[:, 0])
    model.intercepts_[1][0] = np.inf
    with pytest.raises(ValueError, match=r"weights must be finite.* warm_start=False"):
        model.fit(X, X[:, 0])
    model.set_params(warm_start=False).fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("labels", [CLASS, CLASS + (X[:, 1] > 0), np.column_stack([CLASS] * 2)])
def test_weights_that_are_not_finite_predict_nothing(labels, bad):
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, labels)
    model.coefs_[0][0] = bad
    for method in (model.predict, model.predict_proba, model.predict_log_proba):
        with pytest.raises(ValueError, match="weights must be finite"):
            method(X)
    with pytest.raises(ValueError, match="weights must be finite"):
        model.score(X, labels)
    regressor = MLPRegressor("gaussian_nll", (5,), max_iter=3).fit(X, X[:, 0])
    regressor.intercepts_[0][...] = bad
    with pytest.raises(ValueError, match="weights must be finite"):
        regressor.predict(X, return_std=True)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_too_large_for_a_network_are_named():
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, CLASS)
    rows = X.copy()
    rows[[3, 8]] = 1e308
    with pytest.raises(ValueError, match=r"X must give finite outputs, got .* in rows 3, 8"):
        model.predict(rows)


def test_usual_fits_give_no_such_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations")
        for seed in range(3):
            model = MLPRegressor(
                hidden_layer_sizes=(5,), max_iter=20, warm_start=True, random_state=seed
            )
            for _ in range(3):
                model.fit(X, Y / 1e6)
            MLPClassifier(max_iter=5, normalization="batch", random_state=seed).fit(X, CLASS)


def test_a_network_of_huge_but_finite_weights_is_warned_of():
    model = MLPClassifier(solver="sgd", learning_rate_init=1e3, random_state=0, max_iter=20)
    with pytest.warns(ConvergenceWarning, match="loss of 200 rows rose from"):
        model.fit(1e3 * X, CLASS)
