"""Ctrl-C at many lines of library code during a fit."""

import signal
import warnings
from functools import partial

import numpy as np
import pytest
from effort import spread
from interrupts import Interrupter, count_lines

import nnlayers as nn
from nnlayers.estimators import MLPRegressor

X = np.random.default_rng(0).normal(size=(12, 2))
Y = X.sum(axis=1)


class RecordingSGD(nn.optim.SGD):
    """Gradient descent that records all weights after each step."""

    def step(self):
        super().step()
        RECORDED.append(weights(self.params))


class InterruptedSGD(nn.optim.SGD):
    """Gradient descent during whose fourth step Ctrl-C arrives, before the weights move."""

    def update(self, p, g, state, lr, t):
        if t == 4:
            signal.raise_signal(signal.SIGINT)
        super().update(p, g, state, lr, t)


RECORDED = []


def weights(parameters):
    return [parameter.value.tolist() for parameter in parameters]


def estimator(solver=nn.optim.SGD, engine="numpy"):
    options = {"batch_size": 4, "max_iter": 2, "random_state": 0, "engine": engine}
    return MLPRegressor(hidden_layer_sizes=(3,), solver=solver, **options)


def fit(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)


@pytest.fixture
def handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_wherever_it_is_interrupted_a_fit_ends_after_a_whole_step(engine):
    reference = estimator(RecordingSGD)
    RECORDED.clear()
    fit(reference)
    assert len(RECORDED) == 6
    model = estimator(InterruptedSGD)
    fit(model)
    assert weights(model._run.optimizer.params) == RECORDED[3]
    steps = set()
    for line in spread(count_lines(partial(fit, estimator(engine=engine))), 60):
        model = estimator(engine=engine)
        with Interrupter(line, partial(signal.raise_signal, signal.SIGINT)):
            try:
                fit(model)
            except KeyboardInterrupt:  # Only the loop over epochs handles it.
                continue
        done = model._run.optimizer.steps
        steps.add(done)
        if done:
            for array, recorded in zip(
                weights(model._run.optimizer.params), RECORDED[done - 1], strict=True
            ):
                np.testing.assert_allclose(array, recorded, rtol=1e-12)
        assert len(model.loss_curve_) == len(model.history_) == model.n_iter_
        assert model.t_ == len(X) * model.n_iter_
    # A call of the compiled engine does several steps.
    assert steps >= ({1, 2, 3, 4, 5, 6} if engine == "numpy" else {6})
