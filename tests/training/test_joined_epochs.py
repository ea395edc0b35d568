"""Epochs that run in one call give the bits that they give one by one."""

import signal
from functools import partial

import numpy as np
import pytest
from effort import spread
from interrupts import Interrupter, count_lines

import nnlayers as nn
from nnlayers.engine import TrainingProgram
from nnlayers.training import DivergenceError

pytest.importorskip("numba")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
Y = RNG.integers(3, size=50)


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
    monkeypatch.setattr("nnlayers.training.joined.CALL_SECONDS", 1000.0)
    return counts


def classifier(callbacks=(), dtype=np.float64, **options):
    model = nn.mlp([3, 6, 3], norm=nn.BatchNorm, dtype=dtype, rng=0)
    optimizer = nn.optim.AdamW(model.parameters(), lr=0.01)
    options = {"engine": "compiled", "callbacks": callbacks} | options
    return nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, **options)


def state_of(trainer, rng):
    """Return all that a fit leaves, as arrays by name."""
    state = {name: array.tolist() for name, array in trainer.state_dict().items()}
    others = trainer.step_loss, trainer.loss.total_weight, rng.bit_generator.state
    return state | {"others": others}


def fit(trainer, X, y, epochs=12, **options):
    """Return what two fits leave, and the error of the second."""
    rng, error = np.random.default_rng(1), None
    trainer.fit(X, y, epochs=1, rng=rng, **options)
    try:
        trainer.fit(X, y, epochs=epochs, rng=rng, **options)
    except DivergenceError as caught:
        error = str(caught), caught.epoch, caught.step
    return state_of(trainer, rng), error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 50, 99])
@pytest.mark.parametrize("weight", [None, RNG.uniform(0, 2, 50)])
def test_joined_epochs_leave_what_single_ones_do(batch_size, weight, dtype, joined):
    options = {"batch_size": batch_size, "sample_weight": weight}
    expected = fit(classifier([Onlooker()], dtype), X, Y, **options)
    assert joined == []
    assert fit(classifier((), dtype), X, Y, **options) == expected
    assert joined == [12]


def test_a_call_of_limited_length_is_followed_by_others(joined, monkeypatch):
    expected = fit(classifier([Onlooker()]), X, Y, batch_size=10)
    monkeypatch.setattr("nnlayers.engine.training.ORDER_ROWS", 5 * len(X))
    assert fit(classifier(), X, Y, batch_size=10) == expected
    assert joined == [5, 5, 2]


def linear(callbacks, lr):
    model = nn.Affine(3, 1, dtype=np.float64, rng=0)
    optimizer = nn.optim.SGD(model.parameters(), lr=lr)
    parts = model, nn.MeanSquaredError(), optimizer
    return nn.Trainer(*parts, engine="compiled", callbacks=callbacks)


@pytest.mark.parametrize(("lr", "batch_size"), [(2.0, 5), (2.0, 50), (10.0, 50), (1e30, 50)])
def test_a_fit_that_diverges_among_joined_epochs_ends_as_among_single_ones(lr, batch_size, joined):
    y, options = X.sum(axis=1, keepdims=True), {"epochs": 400, "batch_size": batch_size}
    expected, error = fit(linear([Onlooker()], lr), X, y, **options)
    assert error is not None
    assert error[1] > 2
    assert fit(linear((), lr), X, y, **options) == (expected, error)
    assert joined


def test_weights_are_checked_after_each_joined_epoch(joined):
    outcomes = []
    for callbacks in ([Onlooker()], ()):
        # The weight grows by 3e307 in each epoch, and is infinite after six.
        model = nn.Affine(1, 1, bias=False, weight_init="zeros", dtype=np.float64)
        optimizer = nn.optim.SGD(model.parameters(), lr=0.0)
        parts = model, nn.MeanAbsoluteError(), optimizer
        trainer = nn.Trainer(*parts, engine="compiled", callbacks=callbacks)
        trainer.fit([[1.0]], [[1.79e308]], epochs=1, rng=0)
        optimizer.lr = 3e307
        rng = np.random.default_rng(0)
        with pytest.raises(DivergenceError, match="the weights of Affine") as caught:
            trainer.fit([[1.0]], [[1.79e308]], epochs=12, rng=rng)
        outcomes.append((state_of(trainer, rng), caught.value.epoch, caught.value.step))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1:] == (7, 7)
    assert joined == [12]


def test_epochs_that_something_looks_at_run_one_by_one(joined):
    for trainer, options in [
        (classifier(), {"shuffle": False}),
        (classifier(), {"validation": 0.2}),
        (classifier(metrics=["accuracy"]), {}),
        (classifier([Onlooker()]), {}),
    ]:
        fit(trainer, X, Y, batch_size=10, **options)
    trainer = classifier()
    trainer.optimizer.lr = lambda step: 0.01
    fit(trainer, X, Y, batch_size=10)
    model = nn.Sequential(nn.Affine(3, 3, rng=0), nn.Dropout(0.5, rng=0))
    optimizer = nn.optim.Adam(model.parameters())
    fit(nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer), X, Y, batch_size=10)
    assert joined == []


def test_every_signal_ends_a_fit_after_whole_epochs_or_steps(joined):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def prepared():
        trainer, rng = classifier(), np.random.default_rng(1)
        trainer.fit(X, Y, epochs=1, batch_size=10, rng=rng)
        return trainer, rng

    def run(trainer, rng):
        trainer.fit(X, Y, epochs=6, batch_size=10, rng=rng)

    try:
        epochs = set()
        for line in spread(count_lines(partial(run, *prepared())), 50):
            trainer, rng = prepared()
            with (
                pytest.raises(KeyboardInterrupt),
                Interrupter(line, partial(signal.raise_signal, signal.SIGINT)),
            ):
                run(trainer, rng)
            done = len(trainer.history)
            assert trainer.optimizer.steps == 5 * done
            again, same_rng = prepared()
            if done > 1:
                again.fit(X, Y, epochs=done - 1, batch_size=10, rng=same_rng)
            assert state_of(trainer, rng) == state_of(again, same_rng)
            epochs.add(done)
        assert epochs == {1, 7}
    finally:
        signal.signal(signal.SIGINT, before)
