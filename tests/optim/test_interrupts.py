"""Interrupts while parameters move in memory, freeze or unfreeze."""

import math
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from effort import spread
from interrupts import Interrupter, count_lines, raise_interrupt

import nnlayers as nn


def make():
    model = nn.Sequential(nn.BatchNorm(2), nn.Affine(2, 1, rng=0))
    optimizer = nn.optim.Adam(model.parameters(), lr=0.1)
    train(model, optimizer, 2)
    return model, optimizer


def train(model, optimizer, steps):
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad += 1
        optimizer.step()


def other_state(part):
    state = part.state_dict()
    return {name: ~a if a.dtype == bool else a + 1 for name, a in state.items()}


OPERATIONS = {
    "bind": lambda model, optimizer: nn.optim.SGD(model.parameters(), lr=0.1),
    "freeze": lambda model, optimizer: model.freeze(),
    "freeze a part": lambda model, optimizer: model[0].freeze(),
    "unfreeze": lambda model, optimizer: model.unfreeze(),
    "scale": lambda model, optimizer: model.scale_lr(0.5),
    "astype": lambda model, optimizer: model.astype("float64"),
    "load a model": lambda model, optimizer: model.load_state_dict(other_state(model)),
    "load an optimizer": lambda model, optimizer: optimizer.load_state_dict(other_state(optimizer)),
    "set lr": lambda model, optimizer: setattr(optimizer, "lr", 0.5),
}
# The state before an operation.
PREPARATIONS = {
    "": lambda model, optimizer: None,
    "frozen": lambda model, optimizer: model.freeze(),
    "not laid out": lambda model, optimizer: model.astype("float64").astype("float32"),
    "frozen in part for a step": lambda model, optimizer: (
        model[1].freeze() and train(model, optimizer, 1)
    ),
}


def states(model, optimizer):
    """Return everything that an operation may change."""
    parts = [model.state_dict(), optimizer.state_dict()]
    arrays = [{n: (str(a.dtype), a.tolist()) for n, a in part.items()} for part in parts]
    grads = [(p.grad.tolist(), p.trainable, p.lr_scale) for p in model.parameters()]
    return arrays, grads, [vars(layer).get("_cache") for layer in model]


@pytest.mark.parametrize("prepare", PREPARATIONS.values(), ids=PREPARATIONS.keys())
@pytest.mark.parametrize("operate", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_an_interrupted_operation_is_done_or_undone_and_training_continues(operate, prepare):
    def run(line, steps):
        model, optimizer = make()
        prepare(model, optimizer)
        with Interrupter(line, raise_interrupt) as interrupter, suppress(KeyboardInterrupt):
            operate(model, optimizer)
        interrupted = states(model, optimizer)
        train(model, optimizer, steps)
        return interrupter.lines, (interrupted, states(model, optimizer))

    _, undone = run(0, 2)
    lines, done = run(math.inf, 2)
    for line in spread(lines, 20):
        assert run(line, 2)[1] in (undone, done)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.freeze(),
        lambda model: model[0].freeze(),
        lambda model: model.unfreeze(),
        lambda model: model.scale_lr(0.5),
        lambda model: model.astype("float64"),
        lambda model: model[1].astype("float64"),
    ],
)
@pytest.mark.parametrize("prepare", PREPARATIONS.values(), ids=PREPARATIONS.keys())
def test_after_an_interrupted_step_every_unfrozen_parameter_moves(change, prepare):
    def changed():
        model, optimizer = make()
        prepare(model, optimizer)
        change(model)
        return model, optimizer

    lines = count_lines(partial(train, *changed(), 1))
    assert lines > 20
    for line in spread(lines, 12):
        model, optimizer = changed()
        dtypes = [parameter.dtype for parameter in model.parameters()]
        with Interrupter(line, raise_interrupt), suppress(KeyboardInterrupt):
            train(model, optimizer, 1)
        for free in (False, True):
            if free:
                model.unfreeze()
            before = [parameter.value.copy() for parameter in model.parameters()]
            train(model, optimizer, 1)
            for parameter, value, dtype in zip(model.parameters(), before, dtypes, strict=True):
                assert (parameter.value != value).all() == parameter.trainable
                assert parameter.dtype == parameter.grad.dtype == dtype


def test_two_optimizers_of_the_same_parameters_move_them_after_every_change_of_memory():
    model = nn.Affine(2, 2, dtype="float64", rng=0)
    optimizers = [nn.optim.SGD(model.parameters(), lr=0.5) for _ in range(2)]
    for change in (None, model.freeze, model.unfreeze, lambda: model.astype("float32")):
        if change is not None:
            change()
        for optimizer in optimizers:
            before = [parameter.value.copy() for parameter in model.parameters()]
            train(model, optimizer, 1)
            for parameter, value in zip(model.parameters(), before, strict=True):
                expected = value - 0.5 if parameter.trainable else value
                np.testing.assert_allclose(parameter.value, expected, rtol=1e-6)
