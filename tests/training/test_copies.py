"""Copies of a training go on as it does, and trainings share layers, threads and processes."""

import copy
import multiprocessing
import pickle
import threading
from importlib.util import find_spec

import numpy as np
import pytest

import nnlayers as nn

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="Numba is not installed")
ENGINES = ["numpy", pytest.param("compiled", marks=needs_numba)]
OPTIMIZERS = ["SGD", "Adam", "AdamW", "NAdam", "RMSProp", "AdaGrad", "AdaDelta", "Lion"]

X = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int)


def weights(model):
    return np.concatenate([parameter.value.ravel() for parameter in model.parameters()])


def make_trainer(engine, optimizer="Adam", seed=0):
    layers = nn.Affine(5, 7, rng=seed), nn.BatchNorm(7), nn.ReLU(), nn.Dropout(0.3, rng=1)
    model = nn.Sequential(*layers, nn.Affine(7, 2, rng=2))
    schedule = nn.optim.schedules.CosineDecay(0.1, steps=100)
    return nn.Trainer(
        model,
        nn.SoftmaxCrossEntropy(),
        getattr(nn.optim, optimizer)(model.parameters(), lr=schedule),
        metrics=["accuracy"],
        callbacks=[nn.callbacks.EarlyStopping("loss", patience=50)],
        engine=engine,
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_copy_in_mid_training_goes_on_to_the_last_bit_and_by_itself(engine, optimizer):
    trainer = make_trainer(engine, optimizer)
    trainer.fit(X, CLASSES, epochs=2, rng=0)
    trainer.step(X, CLASSES)
    copies = [copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))]
    trainer.fit(X, CLASSES, epochs=2, rng=5)
    for other in copies:
        assert other.engine == engine
        assert not np.array_equal(weights(other.model), weights(trainer.model))
        other.fit(X, CLASSES, epochs=2, rng=5)
        np.testing.assert_array_equal(weights(other.model), weights(trainer.model))
        assert list(other.history["loss"]) == list(trainer.history["loss"])


def test_a_copy_of_the_optimizer_alone_belongs_to_no_model():
    trainer = make_trainer("numpy")
    optimizer = copy.deepcopy(trainer.optimizer)
    with pytest.raises(ValueError, match="optimizer must hold parameters of the model, got Adam"):
        nn.Trainer(trainer.model, nn.SoftmaxCrossEntropy(), optimizer)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_layer_of_two_models_is_trained_by_both(engine):
    def train(step):
        shared = nn.Affine(5, 4, dtype="float64", rng=0)
        heads = [nn.Affine(4, 2, dtype="float64", rng=seed) for seed in (1, 2)]
        models = [nn.Sequential(shared, nn.Tanh(), head) for head in heads]
        optimizers = [nn.optim.Adam(model.parameters(), 0.01) for model in models]
        steps = [step(*parts) for parts in zip(models, optimizers, strict=True)]
        for _ in range(5):
            for one_step in steps:
                one_step()
        return np.concatenate([weights(model) for model in models])

    def by_hand(model, optimizer):
        loss = nn.SoftmaxCrossEntropy()

        def step():
            loss.forward(model.forward(X), CLASSES)
            model.backward(loss.backward())
            optimizer.step()

        return step

    def by_trainer(model, optimizer):
        trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, engine=engine)
        x = X.astype(np.float64)
        return lambda: trainer.step(x, CLASSES)

    np.testing.assert_allclose(train(by_trainer), train(by_hand), rtol=1e-12)


def final_weights(engine, seed):
    trainer = make_trainer(engine, seed=seed)
    trainer.fit(X, CLASSES, epochs=10, rng=seed)
    return weights(trainer.model)


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_threads_train_as_one_does(engine):
    found = {}

    def train(seed):
        found[seed] = final_weights(engine, seed)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(8):
        np.testing.assert_array_equal(found[seed], final_weights(engine, seed))


@pytest.mark.parametrize(
    ("method", "engine"),
    [
        ("fork", "numpy"),
        pytest.param("fork", "compiled", marks=needs_numba),
        pytest.param("spawn", "compiled", marks=needs_numba),
    ],
)
def test_another_process_trains_as_this_one_does(method, engine):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    expected = final_weights(engine, 3)  # The compiled engine has run before the process starts.
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.apply(final_weights, (engine, 3))
    np.testing.assert_array_equal(found, expected)


def strided(array):
    spread = np.zeros((*array.shape, 2), array.dtype)
    spread[..., 0] = array
    return spread[..., 0]


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    result = np.ndarray(array.shape, array.dtype, buffer=memory.data)
    result[...] = array
    return result


class Subclass(np.ndarray):
    def __array_ufunc__(self, *arguments, **options):
        raise AssertionError("the library works with arrays, not with subclasses")


KINDS = {
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "in Fortran's order": np.asfortranarray,
    "strided": strided,
    "unaligned": unaligned,
    "of a subclass": lambda array: array.view(Subclass),
    "masked nowhere": np.ma.masked_array,
    "in extended precision": lambda array: (
        array.astype(np.longdouble) if array.dtype.kind == "f" else array.copy()
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_training_data_in_any_memory_gives_the_same_weights(engine, kind):
    def train(convert):
        model = nn.mlp([5, 7, 2], rng=0)
        optimizer = nn.optim.Adam(model.parameters())
        trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, engine=engine)
        arrays = [convert(array) for array in (X, CLASSES, np.linspace(0.5, 1, len(X)))]
        for array in arrays:
            array.flags.writeable = False
        trainer.fit(*arrays[:2], epochs=2, rng=0, sample_weight=arrays[2], validation=0.25)
        return weights(model)

    np.testing.assert_array_equal(train(KINDS[kind]), train(np.array))
