"""An estimator's fit that was killed goes on to the last bit of the one that was not."""

import os
import warnings

import numpy as np
import pytest
from kills import Killer, needs_fork, run_and_die

import nnlayers as nn

pytest.importorskip("sklearn")

from scipy.sparse import csr_matrix

from nnlayers.estimators import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(50, 3))
Y = np.arange(50) % 3
SETTINGS = {"hidden_layer_sizes": (6,), "batch_size": 8, "max_iter": 9, "random_state": 1}


@pytest.fixture(autouse=True)
def quick_and_quiet(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Nothing converges here.
        yield


def estimator(directory, step=None, cls=MLPClassifier, **settings):
    kept = nn.callbacks.Checkpoint(directory, every="3 steps")
    return cls(**SETTINGS | settings, callbacks=[kept, Killer(step)])


def assert_equal_fits(first, second):
    for name in ("loss_curve_", "n_iter_", "t_", "best_loss_", "validation_scores_", "history_"):
        assert getattr(first, name) == getattr(second, name), name
    for name, array in first.network_.state_dict().items():
        np.testing.assert_array_equal(array, second.network_.state_dict()[name], err_msg=name)


@needs_fork
@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 1},
        {"solver": "sgd", "learning_rate": "invscaling", "dropout": 0.2, "normalization": "batch"},
        {"solver": nn.optim.AdamW, "random_state": None, "dropout": 0.2},
        {"cls": MLPRegressor, "shuffle": False, "random_state": np.random.RandomState(3)},
    ],
    ids=["adam", "early stopping", "adaptive", "invscaling", "no seed", "regressor"],
)
def test_a_killed_fit_continues_exactly(tmp_path, engine, settings):
    generator, start = settings.get("random_state", 1), np.random.RandomState(5)
    for step in (None, 5, 17):
        # The whole fit and the killed one start from the same draws.
        source = np.random if generator is None else generator
        if not isinstance(generator, int):
            source.set_state(start.get_state())
        path = tmp_path / f"{step}"
        fit = estimator(path, step, engine=engine, **settings).fit
        if step is None:
            whole = fit(X, Y)
            continue
        assert run_and_die(fit, X, Y) == 9
        resumed = estimator(path, engine=engine, **settings).fit(X, Y, resume=path)
        assert_equal_fits(resumed, whole)


@needs_fork
def test_a_killed_fit_of_sparse_rows_with_weights_continues_exactly(tmp_path):
    sparse, weight = csr_matrix(np.where(X > 0, X, 0)), np.linspace(0, 2, 50)
    data = {"validation_data": (sparse[:9], Y[:9])}
    whole = estimator(tmp_path / "a").fit(sparse, Y, weight, **data)
    assert run_and_die(lambda: estimator(tmp_path / "b", 17).fit(sparse, Y, weight, **data)) == 9
    resumed = estimator(tmp_path / "b").fit(sparse, Y, weight, **data, resume=tmp_path / "b")
    assert_equal_fits(resumed, whole)


def test_a_fit_that_has_converged_is_done_and_others_go_on_for_more_epochs(tmp_path):
    done = {"tol": 10.0, "n_iter_no_change": 2, "max_iter": 40}
    first = estimator(tmp_path / "a", **done).fit(X, Y)
    assert first.n_iter_ < 40
    assert_equal_fits(estimator(tmp_path / "a", **done).fit(X, Y, resume=tmp_path / "a"), first)
    estimator(tmp_path / "b", max_iter=4).fit(X, Y)
    longer = estimator(tmp_path / "b", max_iter=9).fit(X, Y, resume=tmp_path / "b")
    assert_equal_fits(longer, estimator(tmp_path / "c", max_iter=9).fit(X, Y))


@pytest.mark.parametrize(
    ("settings", "rows", "message"),
    [
        ({"alpha": 0.1}, X, r"alpha is 0\.1, but 0\.0001 in "),
        ({"batch_size": 7}, X, "batch_size is 7, but 8 in "),
        ({"hidden_layer_sizes": (7,)}, X, r"model\['0'\] is Affine\(3, 7"),
        ({"solver": "sgd"}, X, r"optimizer is Momentum\("),
        ({}, X + 1, r"X is float64 of shape \(50, 3\) with the fingerprint \w+, but"),
    ],
)
def test_another_fit_is_refused_by_what_differs(tmp_path, settings, rows, message):
    estimator(tmp_path / "a", max_iter=1).fit(X, Y)
    other = estimator(tmp_path / "a", **settings)
    with pytest.raises(ValueError, match=f"^resume: {message}"):
        other.fit(rows, Y, resume=tmp_path / "a")


def test_a_resume_needs_a_solver_that_goes_through_batches(tmp_path):
    with pytest.raises(ValueError, match="resume needs a stochastic solver, got solver='lbfgs'"):
        MLPClassifier(solver="lbfgs").fit(X, Y, resume=tmp_path)


def test_the_loss_curve_does_not_depend_on_how_the_engine_divides_its_calls(tmp_path):
    pytest.importorskip("numba")
    settings = SETTINGS | {"engine": "compiled"}
    kept = [nn.callbacks.Checkpoint(tmp_path / "a", every="2 steps")]
    divided = MLPClassifier(**settings, callbacks=kept).fit(X, Y)
    assert divided.loss_curve_ == MLPClassifier(**settings).fit(X, Y).loss_curve_


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("order", np.arange(50) + 1),
        ("order", np.zeros(50, int)),
        ("order", np.arange(49)),
        ("place", np.array([-8.0, 0.0])),
        ("place", np.array([99.0, 0.0])),
        ("place", np.array([0.5, 0.0])),
        ("epochs", np.array(-9)),
        ("epochs", np.array([1, 1])),
    ],
)
def test_a_forged_place_in_a_fit_is_refused(tmp_path, engine, name, entry):
    estimator(tmp_path / "a", engine=engine, max_iter=1).fit(X, Y)
    path = sorted((tmp_path / "a").glob("*.npz"))[0]
    with np.load(path) as archive:
        state = dict(archive)
    assert f"fit.{name}" in state
    np.savez(tmp_path / "forged.npz", **state | {f"fit.{name}": entry})
    with pytest.raises(ValueError, match=rf"does not fit this training: state entry '{name}' must"):
        estimator(tmp_path / "b", engine=engine).fit(X, Y, resume=tmp_path / "forged.npz")
