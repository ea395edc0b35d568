"""A signal at any line of library code leaves the trainer after a whole step."""

import signal
import threading
from functools import partial

import numpy as np
import pytest
from effort import spread
from interrupts import Interrupter, count_lines

import nnlayers as nn

X = np.random.default_rng(0).normal(size=(8, 2))
Y = X.sum(axis=1, keepdims=True)


def make(engine="auto"):
    model = nn.Sequential(
        nn.Affine(2, 3, rng=0), nn.BatchNorm(3), nn.Tanh(), nn.Affine(3, 1, rng=1)
    )
    optimizer = nn.optim.Adam(model.parameters(), lr=0.1)
    return nn.Trainer(model, nn.MeanSquaredError(), optimizer, engine=engine)


def fit(trainer, epochs=2):
    trainer.fit(X, Y, epochs=epochs, batch_size=4, shuffle=False)


def state_of(trainer):
    parts = {"model": trainer.model.state_dict(), "optimizer": trainer.optimizer.state_dict()}
    return {f"{p}.{n}": a.tolist() for p, part in parts.items() for n, a in part.items()}


def states_after_each_step(engine):
    trainer = make(engine)
    states = [state_of(trainer)]
    for first in (0, 4, 0, 4):
        trainer.step(X[first : first + 4], Y[first : first + 4])
        states.append(state_of(trainer))
    return states


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_ends_after_a_whole_step(number, engine):
    before = signal.signal(number, signal.default_int_handler)
    try:
        states, steps = states_after_each_step(engine), set()
        for line in spread(count_lines(partial(fit, make(engine))), 50):
            trainer = make(engine)
            interrupter = Interrupter(line, partial(signal.raise_signal, number))
            with pytest.raises(KeyboardInterrupt), interrupter:
                fit(trainer)
            assert state_of(trainer) in states
            steps.add(trainer.optimizer.steps)
            signal.signal(number, signal.default_int_handler)
        # The compiled engine may do several steps before it answers.
        assert steps == {0, 1, 2, 3, 4} if engine == "numpy" else steps >= {0, 4}
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler])
def test_a_fit_restores_the_signal_handlers(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        fit(make())
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_fit_in_another_thread_leaves_signals_alone():
    handlers = []

    class HandlerRecorder(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            handlers.append(signal.getsignal(signal.SIGINT))

    trainer = make()
    trainer.callbacks.append(HandlerRecorder())
    thread = threading.Thread(target=fit, args=(trainer,))
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)] * 2


def test_an_interrupt_between_steps_takes_effect_at_once():
    class Interrupting(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            signal.raise_signal(signal.SIGINT)

    trainer = make()
    trainer.callbacks.append(Interrupting())
    with pytest.raises(KeyboardInterrupt):
        fit(trainer)
    assert len(trainer.history) == 1
