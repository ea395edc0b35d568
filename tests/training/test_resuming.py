"""Training resumes exactly from a trainer's state, which is loaded entirely or not at all."""

import itertools

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import Trainer, callbacks

pytestmark = pytest.mark.usefixtures("each_engine")

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 3
FIT = {"batch_size": 8, "validation": 0.25}


class Jitter(nn.Layer):
    """A user's layer with a generator in an attribute and others in containers."""

    def __init__(self, bits):
        self.rng = np.random.Generator(bits(3))
        self.sources = {"first": [np.random.Generator(bits(1))], "second": (None, self.rng)}

    def forward(self, x):
        noise = self.rng.normal(size=x.shape) + self.sources["first"][0].random(x.shape)
        return x + 0.1 * noise.astype(x.dtype) if self.training else x.copy()

    def backward(self, dout):
        return dout.copy()


def noisy(*layers, seed=0):
    model = nn.Sequential(nn.Affine(3, 8, rng=1), *layers, nn.Affine(8, 3, rng=2))
    return trainer_of(model)


def trainer_of(model):
    optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    stopping = callbacks.EarlyStopping(patience=50)
    plateau = callbacks.ReduceOnPlateau("loss")
    return Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=[stopping, plateau])


def assert_equal_states(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]
MODELS = {
    "dropout": lambda: noisy(nn.Dropout(0.5)),
    "noise in a residual": lambda: noisy(nn.Residual(nn.GaussianNoise(0.3), nn.Dropout(0.2))),
    **{bits.__name__: lambda bits=bits: noisy(Jitter(bits)) for bits in BITS},
    "shared": lambda: shared(),
}


def shared():
    rng = np.random.default_rng()
    return noisy(nn.Dropout(0.5, rng=rng), nn.GaussianNoise(0.2, rng=rng))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_resumed_run_draws_what_the_uninterrupted_one_draws(make, tmp_path):
    trainer = make()
    trainer.fit(X, Y, epochs=2, rng=5, **FIT)
    np.savez(tmp_path / "state.npz", **trainer.state_dict())
    trainer.fit(X, Y, epochs=2, rng=6, **FIT)

    resumed = make()
    resumed.fit(X, Y, epochs=1, rng=9, **FIT)  # advances all generators
    with np.load(tmp_path / "state.npz") as state:
        resumed.load_state_dict(state)
    resumed.fit(X, Y, epochs=2, rng=6, **FIT)
    assert_equal_states(resumed, trainer)


def test_a_rate_that_changed_during_training_is_resumed():
    def change(trainer):
        if len(trainer.history) == 2:
            trainer.model[0].scale_lr(0.1)
            trainer.model[1].b.decay = False

    def make():
        trainer = noisy()
        trainer.callbacks.append(callbacks.LambdaCallback(change))
        trainer.optimizer.weight_decay = 0.1
        return trainer

    trainer, resumed = make(), make()
    trainer.fit(X, Y, epochs=3, rng=5, **FIT)
    resumed.load_state_dict(trainer.state_dict())
    for each in (trainer, resumed):
        each.fit(X, Y, epochs=2, rng=6, **FIT)
    assert [p.lr_scale for p in resumed.model.parameters()] == [0.1, 0.1, 1, 1]
    assert_equal_states(resumed, trainer)


def test_a_generator_shared_by_layers_is_saved_once_and_stays_shared():
    trainer, resumed = shared(), shared()
    names = [name for name in trainer.state_dict() if name.startswith("generators.")]
    assert names == ["generators.1.rng"]
    resumed.load_state_dict(trainer.state_dict())
    assert resumed.model[1].rng is resumed.model[2].rng
    assert resumed.model[1].rng is not trainer.model[1].rng


def test_the_state_of_a_layer_does_not_hold_its_generator():
    assert set(noisy(nn.Dropout(0.5)).model.state_dict()) == {"0.W", "0.b", "2.W", "2.b"}


def test_generators_of_another_kind_are_refused():
    trainer, other = noisy(Jitter(np.random.PCG64)), noisy(Jitter(np.random.MT19937))
    with pytest.raises(ValueError, match=r"entry '1.rng' must be the state of a PCG64 generator"):
        trainer.load_state_dict(other.state_dict())
    message = r"Generators: missing '1\.rng', missing '1\.sources\.first\.0'$"
    with pytest.raises(ValueError, match=message):
        trainer.load_state_dict(noisy(nn.Identity()).state_dict())


def test_a_state_without_the_history_has_everything_else():
    trainer = noisy()
    trainer.fit(X, Y, epochs=2, rng=5, **FIT)
    whole, parts = trainer.state_dict(), trainer.state_dict(history=False)
    assert {name for name in whole if name not in parts} == {"history.loss", "history.val_loss"}


def states_that_do_not_fit(state):
    """Yield states with one entry missing, unknown, of another shape or not a number."""
    for name, array in state.items():
        yield {key: value for key, value in state.items() if key != name}
        yield state | {name: np.ones((*array.shape, 7, 5))}
        yield state | {name: np.array("nonsense")}
    for name in ("model.9.W", "optimizer.9.m", "callbacks.0.best_of", "generators.9.rng", "extra"):
        yield state | {name: np.zeros(1)}


def test_a_state_that_cannot_be_loaded_changes_nothing():
    trainer, other = shared(), shared()
    trainer.fit(X, Y, epochs=2, rng=5, **FIT)
    other.fit(X, Y, epochs=3, rng=6, **FIT)
    before = trainer.state_dict()
    refused = 0
    for state in states_that_do_not_fit(other.state_dict()):
        try:
            trainer.load_state_dict(state)
        except (TypeError, ValueError):
            refused += 1
            now = trainer.state_dict()
            assert list(now) == list(before)
            for name, array in before.items():
                np.testing.assert_array_equal(now[name], array, err_msg=name)
        else:  # A history may lack a column, and a trainer its seed.
            trainer.load_state_dict(before)
    assert refused > 60


def test_a_state_is_undone_if_a_users_callback_fails_or_is_interrupted():
    class Failing(callbacks.Callback):
        def __init__(self, error):
            self.errors = itertools.chain([error], itertools.repeat(None))

        def load_state_dict(self, state):
            error = next(self.errors)
            if error is not None:
                raise error

    for error in (ValueError("no"), KeyboardInterrupt()):
        trainer, other = noisy(nn.Dropout()), noisy(nn.Dropout())
        other.fit(X, Y, epochs=2, rng=5, **FIT)
        trainer.callbacks.append(Failing(error))
        before = trainer.state_dict()
        with pytest.raises(type(error)):
            trainer.load_state_dict(other.state_dict())
        for name, array in trainer.state_dict().items():
            np.testing.assert_array_equal(array, before[name], err_msg=name)
