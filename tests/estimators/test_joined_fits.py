"""Estimators' epochs that run in one call give the bits that they give one by one."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.engine import TrainingProgram
from nnlayers.estimators import MLPClassifier, MLPRegressor

pytest.importorskip("numba")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
VALUES = X[:, 0] - 0.5 * X[:, 1] ** 2
CLASSES = np.digitize(VALUES, [-0.5, 0.5])
OPTIONS = {"hidden_layer_sizes": (6,), "batch_size": 20, "engine": "compiled"}


class Onlooker(nn.callbacks.Callback):
    """A callback because of which epochs run one by one."""


@pytest.fixture
def joined(monkeypatch):
    """The numbers of epochs of the calls of more than one."""
    counts = []
    run_epochs = TrainingProgram.run_epochs

    def counted(program, orders):
        counts.append(len(orders))
        return run_epochs(program, orders)

    monkeypatch.setattr(TrainingProgram, "run_epochs", counted)
    # A slow machine would do fewer epochs in one call.
    monkeypatch.setattr("nnlayers.estimators.fit_run.CALL_SECONDS", 1000.0)
    return counts


def outcome(estimator, y, callbacks, **options):
    """Return all that a fit leaves, the generator's state included."""
    rng, error = np.random.RandomState(3), None
    estimator.set_params(**OPTIONS | options, callbacks=callbacks, random_state=rng)
    try:
        estimator.fit(X, y)
    except ValueError as caught:
        error = str(caught)
    run = estimator._run
    weights = [parameter.value.tolist() for parameter in run.optimizer.params]
    records = estimator._records.losses, estimator._records.stale_epochs, estimator.t_
    optimizer = {name: array.tolist() for name, array in run.optimizer.state_dict().items()}
    state = rng.get_state(legacy=False)
    drawn = state["state"]["key"].tolist(), state["state"]["pos"]
    return weights, records, optimizer, drawn, run.step_loss, list(run.history), error


@pytest.mark.parametrize(
    ("estimator", "y", "options"),
    [
        (MLPClassifier(), CLASSES, {"max_iter": 40}),
        (MLPClassifier(tol=1e-2, n_iter_no_change=4), CLASSES, {"max_iter": 300}),
        (MLPClassifier(tol=1e-2, n_iter_no_change=1), CLASSES, {"max_iter": 300}),
        (MLPClassifier(n_iter_no_change=np.inf), CLASSES, {"max_iter": 40}),
        (MLPRegressor(solver="sgd", learning_rate="adaptive", tol=1e-3), VALUES, {"max_iter": 400}),
        (MLPRegressor(solver="sgd", nesterovs_momentum=False), VALUES, {"max_iter": 30}),
        (MLPRegressor(batch_size=90), VALUES, {"max_iter": 30}),
        (MLPRegressor(solver="sgd", learning_rate_init=0.7), 1e3 * VALUES, {"max_iter": 60}),
        (MLPRegressor(solver="sgd", learning_rate_init=1e3), VALUES, {"max_iter": 60}),
    ],
    ids=lambda part: None if isinstance(part, np.ndarray) else " ".join(str(part).split()),
)
def test_a_fit_of_joined_epochs_leaves_what_one_of_single_epochs_does(
    estimator, y, options, joined
):
    options = {"batch_size": estimator.batch_size} | options
    expected = outcome(estimator, y, [Onlooker()], **options)
    assert joined == []
    assert outcome(estimator, y, None, **options) == expected
    assert joined


@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True},
        {"shuffle": False},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"dropout": 0.2},
    ],
)
def test_epochs_that_depend_on_something_between_run_one_by_one(options, joined):
    outcome(MLPClassifier(), CLASSES, None, max_iter=20, **options)
    assert joined == []
