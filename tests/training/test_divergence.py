"""Training that diverges raises an error that names the epoch, the step and the cause."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import DivergenceError, Trainer

pytestmark = pytest.mark.usefixtures("each_engine")


class Faulty(nn.Layer):
    """Identity with an output or a weight's gradient that can be made infinite."""

    def __init__(self, factor=1.0, gradient=1.0):
        self.w = nn.Parameter([0.0])
        self.factor = factor
        self.gradient = gradient

    def forward(self, x):
        return x * self.factor

    def backward(self, dout):
        self.w.grad += self.gradient
        return dout


def trainer_of(*layers, lr=0.1, loss=None, **options):
    model = nn.Sequential(*layers)
    optimizer = nn.optim.SGD(model.parameters(), lr=lr)
    return Trainer(model, loss or nn.MeanSquaredError(), optimizer, **options)


X = np.arange(1.0, 13.0).reshape(6, 2)
Y = np.ones((6, 1))


def affine(**options):
    return nn.Affine(2, 1, dtype=np.float64, rng=0, **options)


def test_the_error_names_epoch_step_and_remedies():
    trainer = trainer_of(affine(), lr=1e60)
    with pytest.raises(DivergenceError) as caught:
        trainer.fit(X, Y, epochs=50, batch_size=3, shuffle=False)
    first, second = str(caught.value).splitlines()
    error = caught.value
    assert first.startswith(f"training diverged in epoch {error.epoch}, step {error.step}: ")
    assert "layer 0, Affine(2, 1)," in first or "the loss itself" in first
    assert second == (
        "What usually helps: a lower learning rate (now 1e+60), clip_norm=1.0, standardised inputs"
    )
    assert error.epoch == len(trainer.history) + 1
    assert error.step == trainer.optimizer.steps + 1
    assert np.isfinite(trainer.history["loss"]).all()


def test_the_first_layer_with_an_output_that_is_not_finite_is_named():
    trainer = trainer_of(nn.Sequential(affine(), Faulty(factor=np.inf)), nn.Identity())
    before = trainer.model.state_dict()
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1: the output of layer 0\.1, Faulty"):
        trainer.fit(X, Y, epochs=1)
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("validation", [None, 0.2])
def test_a_nan_in_x_is_named_by_its_row_in_x(shuffle, validation):
    x, y = np.ones((20, 2)), np.ones((20, 1))
    trainer = trainer_of(affine())
    for row in range(20):
        x[row, 1] = np.nan
    with pytest.raises(DivergenceError, match="x is not finite in rows"):
        trainer.fit(x, y, epochs=1, batch_size=5, shuffle=shuffle, validation=validation, rng=0)
    x[:] = 1
    x[13, 1] = np.nan
    with pytest.raises(DivergenceError, match="x is not finite in row 13\n"):
        trainer.fit(x, y, epochs=1, batch_size=5, shuffle=shuffle, rng=0)


def test_weights_that_are_not_finite_are_named():
    trainer = trainer_of(affine(), nn.Affine(1, 1, dtype=np.float64))
    trainer.model[1].W.value[...] = np.nan
    with pytest.raises(DivergenceError, match=r"the weights of layer 1, Affine\(1, 1\), are not"):
        trainer.step(X, Y)


def test_weights_that_overflow_in_the_last_step_are_an_error_of_that_step():
    trainer = trainer_of(affine(), Faulty(gradient=1e300), lr=1e60)
    message = r"epoch 1, step 1: the weights of layer 1, Faulty\(.*\), are not finite"
    with pytest.raises(DivergenceError, match=message):
        trainer.fit(X, Y, epochs=1)
    assert len(trainer.history) == 0


def test_a_gradient_that_is_not_finite_is_an_error_of_that_step():
    trainer = trainer_of(affine(), Faulty(gradient=np.inf))
    message = r"epoch 1, step 1: the gradient of layer 1, Faulty\(.*\), is not finite"
    with pytest.raises(DivergenceError, match=message):
        trainer.fit(X, Y, epochs=1)
    assert len(trainer.history) == 0


def test_an_overflow_of_the_loss_itself_is_named():
    trainer = trainer_of(affine())
    with pytest.raises(DivergenceError, match="the loss itself is not finite"):
        trainer.step(X, 1e200 * Y)


def test_a_model_that_is_not_a_sequential_is_named_as_a_whole():
    model = Faulty(factor=np.inf)
    trainer = Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(DivergenceError, match=r"the output of Faulty\(.*\) is not finite"):
        trainer.step(Y, Y)


def test_with_clip_norm_a_gradient_that_is_not_finite_is_caught_before_the_step():
    trainer = trainer_of(affine(), Faulty(gradient=np.nan), clip_norm=1.0)
    before = trainer.model.state_dict()
    with pytest.raises(DivergenceError, match="the gradient of layer 1, Faulty") as caught:
        trainer.step(X, Y)
    assert "clip_norm" not in str(caught.value)
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert not any(parameter.grad.any() for parameter in trainer.model.parameters())


def test_the_search_for_the_cause_draws_nothing_from_the_models_generator():
    dropout = nn.Dropout(0.5, rng=0)
    trainer = trainer_of(affine(), dropout, Faulty(factor=np.inf))
    with pytest.raises(DivergenceError):
        trainer.step(X, Y)
    reference = np.random.default_rng(0)
    nn.Dropout(0.5, rng=reference).forward(np.ones((6, 1)))
    assert dropout.rng.bit_generator.state == reference.bit_generator.state
