"""Gradients that a trainer's optimizer does not consume."""

import functools

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import Trainer, callbacks

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X @ [[1.0], [2.0], [3.0]]


def parts(frozen=False):
    """Return a model, and a trainer that moves its second half alone."""
    model = nn.mlp([3, 4, 1], dtype=np.float64, rng=0)
    if frozen:
        for parameter in model[0].parameters():
            parameter.trainable = False
    moved = model.parameters() if frozen else model[2].parameters()
    return model, Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(moved, lr=0.01))


def train(trainer, way):
    if way == "fit":
        trainer.fit(X, Y, epochs=3, batch_size=5)
    else:
        for _ in range(5):
            trainer.step(X, Y)


@pytest.mark.parametrize("way", ["fit", "step"])
@pytest.mark.parametrize("frozen", [False, True])
def test_what_nobody_consumes_is_discarded(way, frozen):
    model, trainer = parts(frozen)
    train(trainer, way)
    assert not any(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("way", ["fit", "step"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_second_optimizers_first_step_is_that_of_one_gradient(way, frozen):
    model, trainer = parts(frozen)
    train(trainer, way)
    for parameter in model[0].parameters():
        parameter.trainable = True
    reference = nn.mlp([3, 4, 1], dtype=np.float64, rng=0)
    reference.load_state_dict(model.state_dict())
    for network in (model, reference):
        optimizer = nn.optim.SGD(network[0].parameters(), lr=0.1)
        loss = nn.MeanSquaredError()
        loss.forward(network.forward(X), Y)
        network.backward(loss.backward())
        optimizer.step()
    np.testing.assert_allclose(model[0].W.value, reference[0].W.value, rtol=1e-12)


def test_gradients_do_not_pile_up_from_step_to_step_within_a_fit():
    model, trainer = parts()
    sizes = []
    forward = model.forward

    def watching(x):
        sizes.append(max(abs(parameter.grad).max() for parameter in model.parameters()))
        return forward(x)

    model.forward = watching
    trainer.fit(X, Y, epochs=2, batch_size=5)
    assert sizes == [0.0] * 8


def test_a_layer_frozen_by_a_callback_leaves_no_gradient_behind():
    model, trainer = parts(frozen=False)
    trainer = Trainer(model, trainer.loss, nn.optim.SGD(model.parameters(), lr=0.01))

    def freeze(trainer):
        for parameter in model[0].parameters():
            parameter.trainable = False

    trainer.callbacks.append(callbacks.LambdaCallback(freeze))
    trainer.fit(X, Y, epochs=3, batch_size=5)
    assert not any(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("when", ["before the trainer", "before fit"])
def test_a_parameter_replaced_after_the_optimizer_was_made_is_noticed(when):
    model = nn.mlp([3, 4, 1], rng=0)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
    make = functools.partial(Trainer, model, nn.MeanSquaredError(), optimizer)
    start = make if when == "before the trainer" else functools.partial(make().fit, X, Y, epochs=1)
    model[2].W = nn.Parameter(np.zeros((4, 1), np.float32), name="W")
    message = r"optimizer must hold the model's parameter '2\.W', got one that is not the model's"
    with pytest.raises(ValueError, match=message):
        start()


def test_an_optimizer_may_hold_the_parameters_of_several_models():
    shared, first, second = (nn.Affine(3, 3, rng=i) for i in range(3))
    models = [nn.Sequential(shared, first), nn.Sequential(shared, second)]
    optimizer = nn.optim.SGD([*models[0].parameters(), *models[1].parameters()], lr=0.01)
    for model in models:
        Trainer(model, nn.MeanSquaredError(), optimizer).fit(X, X, epochs=1)
