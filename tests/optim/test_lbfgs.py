"""L-BFGS-B against closed forms and scikit-learn."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.optim import minimize_lbfgs


def rows(count=40, features=3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, features))
    return x, x @ rng.normal(size=(features, 1)) + 0.1 * rng.normal(size=(count, 1))


def test_ridge_regression_reaches_its_closed_form():
    x, y = rows()
    model = nn.Affine(3, 1, bias=False, dtype="float64", rng=1)
    result = minimize_lbfgs(model, nn.MeanSquaredError(), x, y, l2=0.3)
    expected = np.linalg.solve(2 / len(x) * x.T @ x + 0.3 * np.eye(3), 2 / len(x) * x.T @ y)
    np.testing.assert_allclose(model.W.value, expected, atol=1e-5)
    assert result.success


def test_logistic_regression_agrees_with_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = rows()
    labels = (y > 0).astype(int)
    model = nn.Affine(3, 1, bias=False, dtype="float64", rng=1)
    minimize_lbfgs(model, nn.SigmoidCrossEntropy(reduction="sum"), x, labels, l2=1.0)
    reference = linear_model.LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10)
    reference.fit(x, labels.ravel())
    np.testing.assert_allclose(model.W.value.ravel(), reference.coef_[0], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_learns_and_keeps_its_dtype_and_mode(dtype):
    x, y = rows()
    model = nn.mlp([3, 8, 1], dropout=0.5, activation="tanh", dtype=dtype, rng=0)
    model[0].eval()
    loss = nn.MeanSquaredError()
    before = loss(model.predict(x), y)
    result = minimize_lbfgs(model, loss, x, y, max_iter=50)
    after = loss(model.predict(x), y)
    assert after < 0.05 * before
    assert result.fun == pytest.approx(after, rel=1e-5)
    assert all(parameter.dtype == dtype for parameter in model.parameters())
    assert [layer.training for layer in model] == [False, True, True, True]
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_frozen_parameters_do_not_move():
    x, y = rows()
    model = nn.mlp([3, 4, 1], rng=0)
    model[0].W.trainable = False
    before = model[0].W.value.copy()
    minimize_lbfgs(model, nn.MeanSquaredError(), x, y, max_iter=3)
    np.testing.assert_array_equal(model[0].W.value, before)


@pytest.mark.parametrize("free", ["W", "b"])
def test_the_penalty_leaves_out_parameters_without_decay(free):
    x, y = rows()
    model = nn.Affine(3, 1, dtype="float64", rng=1)
    getattr(model, free).decay = False
    minimize_lbfgs(model, nn.MeanSquaredError(), x, y, l2=0.3, gtol=1e-9, ftol=0)
    design = np.hstack([x, np.ones((len(x), 1))])
    penalty = 0.3 * np.diag([1.0, 1, 1, 0] if free == "b" else [0.0, 0, 0, 1])
    hessian = 2 / len(x) * design.T @ design + penalty
    expected = np.linalg.solve(hessian, 2 / len(x) * design.T @ y)
    np.testing.assert_allclose(model.W.value, expected[:3], atol=1e-6)
    np.testing.assert_allclose(model.b.value, expected[3], atol=1e-6)


def test_a_learning_rate_of_a_parameter_is_refused_unless_it_is_frozen():
    x, y = rows()
    model = nn.mlp([3, 4, 1], rng=0)
    model[0].scale_lr(0.1)
    with pytest.raises(ValueError, match=r"lr_scale must be 1 for L-BFGS, .* got Parameter\('W'"):
        minimize_lbfgs(model, nn.MeanSquaredError(), x, y)
    model[0].freeze()
    minimize_lbfgs(model, nn.MeanSquaredError(), x, y, max_iter=2)


def test_it_stops_after_max_iter():
    x, y = rows()
    model = nn.mlp([3, 4, 1], dtype="float64", rng=0)
    assert minimize_lbfgs(model, nn.MeanSquaredError(), x, y, max_iter=2).nit == 2


def test_tolerances_decide_when_it_stops():
    x, y = rows()

    def fit(**tolerances):
        model = nn.Affine(3, 1, dtype="float64", rng=1)
        result = minimize_lbfgs(model, nn.MeanSquaredError(), x, y, **tolerances)
        return result.nit, np.abs(result.jac).max()

    by_default = fit()
    assert by_default[1] > 1e-10
    assert fit(gtol=1e-10, ftol=0)[1] < 1e-10
    assert fit(gtol=1.0)[0] < by_default[0]
    assert fit(ftol=0.5)[0] < by_default[0]


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (nn.ReLU(), {}, "model must have a parameter to train, got none"),
        (nn.Affine(3, 1), {"l2": -1}, "l2 must be .* at least 0, got -1"),
        (nn.Affine(3, 1), {"gtol": -1}, "gtol must be .* at least 0, got -1"),
        (nn.Affine(3, 1), {"ftol": -1}, "ftol must be .* at least 0, got -1"),
        (nn.Affine(3, 1), {"max_iter": 0}, "max_iter must be .* at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        minimize_lbfgs(model, nn.MeanSquaredError(), *rows(), **arguments)
