"""Gradients that the trainer's optimizer does not consume are discarded."""

import functools

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import Trainer, callbacks

pytestmark = pytest.mark.usefixtures("each_engine")

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X @ [[1.0], [2.0], [3.0]]


def model_and_trainer(frozen=False):
    """Return a model, and a trainer that moves only its second half."""
    model = nn.mlp([3, 4, 1], dtype=np.float64, rng=0)
    if frozen:
        for parameter in model[0].parameters():
            parameter.trainable = False
    moved = model.parameters() if frozen else model[2].parameters()
    return model, Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(moved, lr=0.01))


def train(trainer, method):
    if method == "fit":
        trainer.fit(X, Y, epochs=3, batch_size=5)
    else:
        for _ in range(5):
            trainer.step(X, Y)


@pytest.mark.parametrize("method", ["fit", "step"])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_left_by_the_optimizer_are_discarded(method, frozen):
    model, trainer = model_and_trainer(frozen)
    train(trainer, method)
    assert not any(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("method", ["fit", "step"])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_first_step_of_a_second_optimizer_sees_one_gradient(method, frozen):
    model, trainer = model_and_trainer(frozen)
    train(trainer, method)
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


def test_gradients_do_not_add_up_from_step_to_step_of_a_fit():
    model, trainer = model_and_trainer()
    sizes = []
    forward = model.forward

    def recording(x):
        sizes.append(max(abs(parameter.grad).max() for parameter in model.parameters()))
        return forward(x)

    model.forward = recording
    trainer.fit(X, Y, epochs=2, batch_size=5)
    assert sizes == [0.0] * 8


def test_a_layer_frozen_by_a_callback_is_left_without_gradient():
    model, trainer = model_and_trainer(frozen=False)
    trainer = Trainer(model, trainer.loss, nn.optim.SGD(model.parameters(), lr=0.01))

    def freeze(trainer):
        for parameter in model[0].parameters():
            parameter.trainable = False

    trainer.callbacks.append(callbacks.LambdaCallback(freeze))
    trainer.fit(X, Y, epochs=3, batch_size=5)
    assert not any(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("when", ["before the trainer", "before fit", "before a step"])
def test_a_parameter_that_was_replaced_after_the_optimizer_was_made_is_named(when):
    model = nn.mlp([3, 4, 1], rng=0)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
    make = functools.partial(Trainer, model, nn.MeanSquaredError(), optimizer)
    start = {
        "before the trainer": make,
        "before fit": functools.partial(make().fit, X, Y, epochs=1),
        "before a step": functools.partial(make().step, X, Y),
    }[when]
    model[2].W = nn.Parameter(np.zeros((4, 1), np.float32), name="W")
    message = r"optimizer must hold the model's parameter '2\.W', got one that is not the model's"
    with pytest.raises(ValueError, match=message):
        start()


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_step_of_a_model_with_a_replaced_parameter_changes_nothing(engine, clip_norm):
    model = nn.mlp([3, 4, 1], rng=0)
    optimizer = nn.optim.Adam(model.parameters())
    parts = model, nn.MeanSquaredError(), optimizer
    trainer = Trainer(*parts, clip_norm=clip_norm, engine=engine)
    trainer.step(X, Y)
    model[0].W = nn.Parameter(model[0].W.value)
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"optimizer must hold the model's parameter '0\.W'"):
        trainer.step(X, Y)
    assert optimizer.steps == 1
    assert not any(parameter.grad.any() for parameter in model.parameters())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    Trainer(model, parts[1], nn.optim.Adam(model.parameters()), engine=engine).step(X, Y)


def test_a_parameter_that_a_step_does_not_reach_is_no_error():
    class Half(nn.Layer):
        def __init__(self):
            self.used, self.unused = nn.Affine(3, 1, rng=0), nn.Affine(3, 1, rng=1)

        def forward(self, x):
            return self.used.forward(x)

        def backward(self, dout):
            return self.used.backward(dout)

    model = Half()
    trainer = Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), lr=0.01))
    before = model.unused.W.value.copy()
    assert trainer.step(X, Y) > trainer.step(X, Y)
    np.testing.assert_array_equal(model.unused.W.value, before)


def test_an_optimizer_may_hold_the_parameters_of_several_models():
    shared, first, second = (nn.Affine(3, 3, rng=i) for i in range(3))
    models = [nn.Sequential(shared, first), nn.Sequential(shared, second)]
    optimizer = nn.optim.SGD([*models[0].parameters(), *models[1].parameters()], lr=0.01)
    for model in models:
        Trainer(model, nn.MeanSquaredError(), optimizer).fit(X, X, epochs=1)
