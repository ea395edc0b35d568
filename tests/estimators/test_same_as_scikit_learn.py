"""The estimators train the network of scikit-learn, given equal settings and `random_state`."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

import nnlayers as nn
from nnlayers import estimators
from nnlayers.estimators.objectives import BLOCK

pytest.importorskip("sklearn", minversion="1.7")  # Older versions have no weights and one loss.

RNG = np.random.default_rng(0)
BINARY = make_classification(150, 6, random_state=0)
CLASSES = make_classification(150, 6, n_informative=4, n_classes=3, random_state=1)
LABELS = make_multilabel_classification(150, 6, n_classes=3, random_state=0)
NUMBERS = (X := RNG.normal(size=(150, 5)), X[:, 0] - X[:, 1] ** 2)
OUTPUTS = (X, np.column_stack([X[:, 0], X[:, 1] ** 2, X[:, 2]]))
COUNTS = (X, RNG.poisson(np.exp(X[:, 0])))

PROBLEMS = {
    "binary": ("MLPClassifier", (BINARY[0] / 3, BINARY[1]), {}),
    "classes": ("MLPClassifier", CLASSES, {}),
    "labels": ("MLPClassifier", (LABELS[0] / 10, LABELS[1]), {}),
    "numbers": ("MLPRegressor", NUMBERS, {}),
    "outputs": ("MLPRegressor", OUTPUTS, {}),
    "counts": ("MLPRegressor", COUNTS, {"loss": "poisson"}),
}
SETTINGS = {
    "defaults": {},
    "alpha": {"alpha": 0.5, "activation": "tanh", "batch_size": 64},
    "logistic": {"activation": "logistic", "alpha": 0.1, "shuffle": False},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2, "batch_size": 30},
    "adaptive": {"learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1},
    "invscaling": {"learning_rate": "invscaling", "nesterovs_momentum": False},
    "no hidden layer": {"hidden_layer_sizes": (), "momentum": 1.0, "activation": "identity"},
}
FITTED = ["n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"]
FITTED_FLOATS = ["loss_", "best_loss_", "best_validation_score_"]
CURVES = ["loss_curve_", "validation_scores_"]


@pytest.fixture(autouse=True)
def _not_converged():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def both(name, **settings):
    return [getattr(module, name)(**settings) for module in (neural_network, estimators)]


def assert_same(theirs, ours, tolerance=1e-8):
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(theirs, name), getattr(ours, name), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=tolerance)
    for name in FITTED:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in FITTED_FLOATS:
        a, b = getattr(theirs, name, None), getattr(ours, name, None)
        assert (a is None and b is None) or b == pytest.approx(a, abs=1e-7), name
    for name in CURVES:
        a, b = getattr(theirs, name, None), getattr(ours, name, None)
        assert (a is None and b is None) or b == pytest.approx(a, abs=1e-7), name


@pytest.mark.untraced
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_twenty_iterations_give_the_same_weights_and_records(problem, solver, setting):
    name, (X, y), loss = PROBLEMS[problem]
    settings = {"hidden_layer_sizes": (7, 5), "solver": solver, "max_iter": 20, "random_state": 3}
    theirs, ours = both(name, **(settings | loss | SETTINGS[setting]))
    assert_same(theirs.fit(X, y), ours.fit(X, y))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    if name == "MLPClassifier":
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_matrices_of_several_blocks_are_penalised_alike():
    X, y = NUMBERS
    theirs, ours = both("MLPRegressor", hidden_layer_sizes=(150, 120), alpha=50, max_iter=3)
    for estimator in (theirs, ours):
        estimator.set_params(random_state=0).fit(X, y)
    assert max(weights.size for weights in ours.coefs_) > 2 * BLOCK
    assert_same(theirs, ours)


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_first_weights_are_the_same_at_every_depth(problem, activation, hidden):
    name, (X, y), loss = PROBLEMS[problem]
    settings = {"solver": "sgd", "learning_rate_init": 1e-12, "max_iter": 1, "random_state": 5}
    theirs, ours = both(name, hidden_layer_sizes=hidden, activation=activation, **settings, **loss)
    assert_same(theirs.fit(X, y), ours.fit(X, y))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_position_of_epsilon_matters_little_for_large_gradients(problem):
    name, (X, y), loss = PROBLEMS[problem]
    settings = {"hidden_layer_sizes": (7, 5), "max_iter": 20, "random_state": 3}
    theirs, ours = both(name, **(settings | loss | SETTINGS["alpha"]))
    ours.set_params(solver=nn.optim.Adam)
    for a, b in zip(theirs.fit(X, y).coefs_, ours.fit(X, y).coefs_, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_sample_weights_mean_the_same(problem, solver):
    name, (X, y), loss = PROBLEMS[problem]
    weight = RNG.uniform(0.5, 2, len(y))
    settings = {"hidden_layer_sizes": (6,), "solver": solver, "max_iter": 10, "random_state": 0}
    theirs, ours = both(name, **settings, **loss, activation="tanh", alpha=0.3)
    assert_same(theirs.fit(X, y, sample_weight=weight), ours.fit(X, y, sample_weight=weight))
    for estimator in (theirs, ours):
        estimator.set_params(early_stopping=True).fit(X, y, sample_weight=weight)
    assert_same(theirs, ours)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_partial_fit_and_warm_start_continue_alike(problem, solver):
    name, (X, y), loss = PROBLEMS[problem]
    settings = {"hidden_layer_sizes": (6,), "solver": solver, "max_iter": 3, "random_state": 0}
    pair = both(name, **settings, **loss, learning_rate="adaptive", tol=1.0, n_iter_no_change=2)
    classes = {}
    if name == "MLPClassifier":
        classes["classes"] = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    for estimator in pair:
        for _ in range(5):
            estimator.partial_fit(X[:100], y[:100], **classes)
        estimator.partial_fit(X[100:], y[100:])
    assert_same(*pair)
    for estimator in pair:
        estimator.set_params(warm_start=True).fit(X, y)
    assert_same(*pair)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs", "adam"])
def test_training_continues_from_copied_weights(solver):
    X, y = NUMBERS
    settings = {"solver": solver, "shuffle": False, "max_iter": 1, "n_iter_no_change": np.inf}
    theirs, ours = both("MLPRegressor", hidden_layer_sizes=(5,), warm_start=True, **settings)
    theirs.fit(X, y)
    ours.fit(X, y)
    ours.coefs_ = theirs.coefs_
    for index, intercept in enumerate(theirs.intercepts_):
        ours.intercepts_[index] = intercept
    for estimator in (theirs, ours):
        estimator.set_params(max_iter=20).fit(X, y)
    for a, b in zip(
        theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True
    ):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_constructor_has_all_parameters_in_the_same_order_with_the_same_defaults(name):
    theirs, ours = (
        inspect.signature(getattr(module, name)).parameters
        for module in (neural_network, estimators)
    )
    for parameter in theirs.values():
        assert ours[parameter.name].default == parameter.default
        assert ours[parameter.name].kind == parameter.kind
    positional = [p for p in theirs if theirs[p].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(positional)] == positional


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("problem", ["classes", "numbers"])
def test_float32_comes_out_in_the_same_dtypes(problem, solver):
    name, (X, y), _ = PROBLEMS[problem]
    theirs, ours = both(name, hidden_layer_sizes=(4,), solver=solver, max_iter=3, random_state=0)
    for estimator in (theirs, ours):
        estimator.fit(X.astype(np.float32), y)
    assert [c.dtype for c in ours.coefs_] == [c.dtype for c in theirs.coefs_]
    probe = X.astype(np.float32)
    assert ours.predict(probe).dtype == theirs.predict(probe).dtype
    for a, b in zip(theirs.coefs_, ours.coefs_, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)


@pytest.mark.parametrize("problem", ["classes", "numbers"])
def test_lbfgs_computes_in_float64_whatever_the_dtype_of_the_inputs(problem):
    name, (X, y), _ = PROBLEMS[problem]
    settings = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "max_iter": 20, "random_state": 0}
    single, double = (getattr(estimators, name)(**settings) for _ in range(2))
    single.fit(X.astype(np.float32), y)
    double.fit(X.astype(np.float32).astype(np.float64), y)
    np.testing.assert_array_equal(single.coefs_[0], double.coefs_[0])


def test_verbose_prints_the_same_lines(capsys):
    X, y = CLASSES
    printed = []
    for estimator in both(
        "MLPClassifier", solver="sgd", verbose=True, early_stopping=True, max_iter=40,
        learning_rate="adaptive", tol=0.1, n_iter_no_change=2, random_state=0,
    ):  # fmt: skip
        estimator.fit(X, y)
        printed.append(capsys.readouterr().out)
    assert "Setting learning rate" in printed[0]
    assert printed[1] == printed[0]
