"""Fits by the compiled engine give the results of NumPy's."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import nnlayers as nn
from nnlayers.estimators import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(57, 4))
SCORE = X[:, 0] - 0.5 * X[:, 1] ** 2
BINARY, CLASSES = (SCORE > 0).astype(int), np.digitize(SCORE, [-0.5, 0.5])
LABELS = np.stack([BINARY, X[:, 2] > 0], axis=1).astype(int)
COUNTS = RNG.poisson(np.exp(SCORE / 2))
OPTIONS = {"hidden_layer_sizes": (5, 4), "max_iter": 12, "batch_size": 16, "random_state": 0}


def fit(estimator, engine, X, y, **arguments):
    estimator = clone(estimator).set_params(engine=engine, **OPTIONS)
    estimator.fit(X, y, **arguments)
    return estimator


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (MLPClassifier(), BINARY),
        (MLPClassifier(alpha=0, activation="logistic"), CLASSES),
        (MLPClassifier(alpha=0.1, solver="sgd", learning_rate="invscaling"), LABELS),
        (MLPClassifier(loss="hinge", activation="tanh", dropout=0.2), CLASSES),
        (MLPClassifier(early_stopping=True, normalization="layer"), CLASSES),
        (MLPRegressor(alpha=1.0), SCORE),
        (MLPRegressor(solver="sgd", learning_rate_init=1e-3), np.stack([SCORE, X[:, 0]], axis=1)),
        (MLPRegressor(solver="sgd", nesterovs_momentum=False, shuffle=False), SCORE),
        (MLPRegressor(loss="poisson", epsilon=1e-4), COUNTS),
        (MLPRegressor(loss=nn.Quantile(0.8), solver=nn.optim.AdamW), SCORE),
        (MLPRegressor(loss="gaussian_nll", beta_1=0.5, beta_2=0.9), SCORE),
    ],
)
def test_a_compiled_fit_gives_the_results_of_numpy(
    estimator, y, dtype, rtol, weighted, monkeypatch
):
    pytest.importorskip("numba")
    weight = {"sample_weight": RNG.integers(1, 4, len(X)).astype(float)} if weighted else {}
    expected = fit(estimator, "numpy", X.astype(dtype), y, **weight)
    with monkeypatch.context() as patch:
        patch.setattr("nnlayers.estimators.fit_run.gradient", None)  # No step is NumPy's.
        actual = fit(estimator, "compiled", X.astype(dtype), y, **weight)
    assert actual._run.engine == "compiled"
    assert actual.n_iter_ == expected.n_iter_
    assert actual.t_ == expected.t_
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=rtol, atol=rtol)
    pairs = zip(
        actual.coefs_ + actual.intercepts_, expected.coefs_ + expected.intercepts_, strict=True
    )
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fits_copies_and_pickles_continue_a_compiled_fit():
    pytest.importorskip("numba")
    results = []
    for engine in ("numpy", "compiled"):
        model = MLPClassifier(engine=engine, random_state=0, hidden_layer_sizes=(5,))
        for start in (0, 20, 40):
            part = slice(start, start + 20)
            model.partial_fit(X[part], CLASSES[part], classes=[0, 1, 2])
            model = pickle.loads(pickle.dumps(model))
        results.append(model.predict_proba(X))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)


def test_the_compiled_engine_refuses_sparse_rows_and_lbfgs():
    pytest.importorskip("numba")
    with pytest.raises(
        ValueError, match="engine='compiled' does not know sparse X: engine='auto' trains"
    ):
        MLPRegressor(engine="compiled").fit(sparse.csr_matrix(X), SCORE)
    with pytest.raises(ValueError, match="engine='compiled' needs a stochastic solver"):
        MLPRegressor(engine="compiled", solver="lbfgs").fit(X, SCORE)
    with pytest.raises(ValueError, match="engine"):
        MLPRegressor(engine="fast").fit(X, SCORE)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_loss_of_the_user_is_left_to_numpy():
    class Quartic(nn.losses.base.ElementwiseLoss):
        def entry_losses(self, p, t):
            return (p - t) ** 4, p - t

        def entry_slopes(self, difference):
            return 4 * difference**3

    model = MLPRegressor(loss=Quartic(), **OPTIONS).fit(X, SCORE)
    assert model._run.engine == "numpy"
    with pytest.raises((ValueError, ImportError), match=r"Quartic|Numba"):
        model.set_params(engine="compiled").fit(X, SCORE)
