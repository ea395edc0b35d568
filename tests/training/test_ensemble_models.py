"""Ensembles: members like networks that are trained alone, and what they predict together."""

import copy
import pickle
import runpy
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from scipy.special import expit, softmax

import nnlayers as nn
from nnlayers.testing import check_gradients, check_layer
from nnlayers.training import member_fits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 2)).astype(np.float32)
VALUES = (X[:, :1] * X[:, 1:]).astype(np.float32)
CLASSES = (X[:, 0] * X[:, 1] > 0).astype(int)
FIT = {"epochs": 3, "batch_size": 16}


def make_model(rng, outputs=2):
    return nn.mlp([2, 8, outputs], dropout=0.2, norm="batch", rng=rng)


def make_trainer(model):
    optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    return nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, metrics=["accuracy"])


def trained_alone(number, members, **settings):
    """Return a network and its history as a user without an ensemble trains it."""
    stream = np.random.default_rng(0).spawn(members)[number]
    trainer = make_trainer(make_model(stream))
    return trainer.model, trainer.fit(X, CLASSES, rng=stream, **FIT, **settings)


def assert_equal_state(model, other):
    state = other.state_dict()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


@pytest.mark.usefixtures("each_engine")
@pytest.mark.parametrize("workers", [1, 2])
def test_members_are_networks_trained_alone_to_the_last_bit(workers):
    ensemble = nn.Ensemble(make_model, 3, rng=0)
    histories = ensemble.fit(make_trainer, X, CLASSES, **FIT, validation=0.2, workers=workers)
    for number in range(3):
        model, history = trained_alone(number, 3, validation=0.2)
        assert_equal_state(ensemble.models[number], model)
        assert histories[number] == history


def test_members_trained_in_processes_are_the_same_and_go_on_alike():
    joblib = pytest.importorskip("joblib")
    ensembles = [nn.Ensemble(make_model, 2, rng=0) for _ in range(2)]
    large = np.repeat(X, 2000, axis=0)  # joblib maps it into the memory of its processes.
    rows, labels = large[:120], np.repeat(CLASSES, 2000)[:120]
    for ensemble, backend in zip(ensembles, ["processes", "threads"], strict=True):
        with joblib.parallel_config(backend="loky", n_jobs=2):
            ensemble.fit(make_trainer, large, np.zeros(len(large), int), epochs=1,
                         batch_size=20_000, backend=backend)  # fmt: skip
        histories = ensemble.fit(make_trainer, rows, labels, **FIT)  # dropout and orders go on
        assert [len(history) for history in histories] == [3, 3]
    assert_equal_state(*ensembles)


def test_another_fit_continues_with_the_streams():
    ensemble = nn.Ensemble(make_model, 2, rng=0)
    for _ in range(2):
        ensemble.fit(make_trainer, X, CLASSES, **FIT)
    stream = np.random.default_rng(0).spawn(2)[1]
    model = make_model(stream)
    for _ in range(2):
        make_trainer(model).fit(X, CLASSES, rng=stream, **FIT)
    assert_equal_state(ensemble.models[1], model)


def test_rows_in_double_precision_are_converted_once_to_the_same_members():
    ensembles = [nn.Ensemble(make_model, 2, rng=0) for _ in range(2)]
    for ensemble, rows in zip(ensembles, [X, X.astype(np.float64)], strict=True):
        ensemble.fit(make_trainer, rows, CLASSES, **FIT)
    assert_equal_state(*ensembles)


# For each loss: the mean and the variance of the target that a member's output stands for.
MOMENTS = {
    "MeanSquaredError": lambda z: (z, None),
    "Hinge": lambda z: (z, None),
    "SoftmaxCrossEntropy": lambda z: (softmax(z, axis=1), "bernoulli"),
    "SigmoidCrossEntropy": lambda z: (expit(z), "bernoulli"),
    "KLDivergence": lambda z: (np.exp(z), "bernoulli"),
    "Poisson": lambda z: (np.exp(z), np.exp(z)),
    "GaussianNLL": lambda z: (z[:, :1], np.exp(z[:, 1:])),
}
TARGETS = {
    "SoftmaxCrossEntropy": CLASSES,
    "Hinge": CLASSES,
    "GaussianNLL": VALUES,
}


@pytest.mark.parametrize("name", MOMENTS)
def test_the_prediction_is_the_mean_and_its_variance_that_of_the_mixture(name):
    def trainer_of(model):
        optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
        return nn.Trainer(model, getattr(nn, name)(), optimizer, engine="numpy")

    def model_of(rng):
        last = nn.LogSoftmax() if name == "KLDivergence" else nn.Identity()
        return nn.Sequential(nn.mlp([2, 4, 2], dtype="float64", rng=rng), last)

    ensemble = nn.Ensemble(model_of, 4, rng=0)
    target = TARGETS.get(name, np.full((70, 2), 0.5))
    ensemble.fit(trainer_of, X, target, epochs=1)
    moments = [MOMENTS[name](model.predict(X)) for model in ensemble.models]
    means = np.array([mean for mean, _ in moments])
    prediction = ensemble.predict(X, return_std=True)
    np.testing.assert_allclose(prediction.mean, means.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(prediction.mean, ensemble.predict(X))
    np.testing.assert_allclose(prediction.disagreement, means.std(axis=0), rtol=1e-9)
    if moments[0][1] is None:
        assert prediction.noise is None
        np.testing.assert_array_equal(prediction.std, prediction.disagreement)
        return
    # The variance of a target drawn from a random member: E[t²] - E[t]².
    squares = [
        mean if isinstance(variance, str) else variance + mean**2 for mean, variance in moments
    ]
    variance = np.mean(squares, axis=0) - means.mean(axis=0) ** 2
    np.testing.assert_allclose(prediction.std**2, variance, rtol=1e-9)


@pytest.mark.parametrize(
    "outputs", ["values", "classes", "binary", "log_probabilities", "counts", "gaussian"]
)
def test_an_ensemble_is_a_layer(outputs):
    def make():
        models = [nn.mlp([2, 3, 4], activation="tanh", rng=seed) for seed in (0, 1)]
        return nn.Ensemble.of(models, outputs=outputs)

    x = RNG.normal(size=(5, 2))
    check_layer(make, x)
    check_gradients(make().astype(np.float64), x)
    ensemble = make()
    np.testing.assert_allclose(ensemble.forward(x), ensemble.predict(x), rtol=1e-6)


@pytest.mark.parametrize("outputs", ["values", "classes", "gaussian"])
def test_an_exported_ensemble_predicts_the_mean(outputs, tmp_path):
    models = [nn.mlp([2, 3, 4], activation="tanh", rng=seed) for seed in range(3)]
    ensemble = nn.Ensemble.of(models, outputs=outputs)
    path = tmp_path / "ensemble.py"
    nn.export.python(ensemble, path, input_shape=(2,))
    exported = runpy.run_path(str(path))["predict"](X)
    np.testing.assert_allclose(exported, ensemble.predict(X), rtol=1e-6)
    assert exported.shape == (70, 2 if outputs == "gaussian" else 4)


@pytest.mark.parametrize("name", ["ensemble.nn", "ensemble.safetensors"])
def test_a_saved_ensemble_predicts_the_same_and_trains_on(name, tmp_path):
    ensemble = nn.Ensemble(make_model, 2, rng=0)
    ensemble.fit(make_trainer, X, CLASSES, **FIT)
    loaded = nn.load(nn.save(ensemble, tmp_path / name))
    for ours, theirs in zip(
        ensemble.predict(X, return_std=True), loaded.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.outputs == "classes"
    loaded.fit(make_trainer, X, CLASSES, **FIT)
    assert "0.W" in loaded.models[1].state_dict()
    assert "models.1.0.W" in ensemble.state_dict()


def test_copies_and_pickles_are_apart_and_train_alike():
    ensemble = nn.Ensemble(make_model, 2, rng=0)
    others = [copy.deepcopy(ensemble), pickle.loads(pickle.dumps(ensemble))]
    ensemble.fit(make_trainer, X, CLASSES, **FIT)
    for other in others:
        other.fit(make_trainer, X, CLASSES, **FIT)
        assert_equal_state(other, ensemble)


def test_one_member_and_no_rows():
    ensemble = nn.Ensemble(make_model, 1)
    mean, disagreement, noise = ensemble.predict(np.empty((0, 2)), return_std=True)
    assert mean.shape == disagreement.shape == (0, 2)
    assert noise is None
    one = ensemble.predict(X[:1], return_std=True)
    np.testing.assert_array_equal(one.disagreement, np.zeros((1, 2)))


def test_a_member_that_diverges_is_named_and_ends_the_others():
    class Poisoned(nn.callbacks.Callback):
        def on_epoch_start(self, trainer):
            trainer.model[0].W.value[...] = np.nan

    def trainer_of(model):
        trainer = make_trainer(model)
        if model is ensemble.models[1]:
            trainer.callbacks.append(Poisoned())
        return trainer

    ensemble = nn.Ensemble(make_model, 3)
    with pytest.raises(nn.DivergenceError) as caught:
        ensemble.fit(trainer_of, X, CLASSES, epochs=20_000)
    assert caught.value.__notes__ == ["in member 1 of the ensemble"]


def test_ctrl_c_ends_all_members_after_their_epoch():
    trainers = []

    class Interrupt(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            if len(trainer.history) == 2 and trainer.model is ensemble.models[0]:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def trainer_of(model):
        trainers.append(make_trainer(model))
        trainers[-1].callbacks.append(Interrupt())
        return trainers[-1]

    ensemble = nn.Ensemble(make_model, 2)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ensemble.fit(trainer_of, X, CLASSES, epochs=20_000, workers=2)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert max(len(trainer.history) for trainer in trainers) < 20_000
    assert np.isfinite(ensemble.predict(X)).all()


def test_ctrl_c_right_before_a_wait_is_answered_while_members_train(monkeypatch):
    trainers, waits = [], []

    def trainer_of(model):
        trainers.append(make_trainer(model))
        return trainers[-1]

    def wait_and_raise(*arguments, **options):
        result = wait(*arguments, **options)
        waits.append(result)
        if len(waits) == 2:  # What came before the second wait is raised after it.
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(member_fits, "wait", wait_and_raise)
    with pytest.raises(KeyboardInterrupt):
        nn.Ensemble(make_model, 2).fit(trainer_of, X, CLASSES, epochs=20_000, workers=2)
    assert max(len(trainer.history) for trainer in trainers) < 20_000


@pytest.mark.parametrize("begun", [0, 1, 2])
def test_ctrl_c_while_members_begin_ends_those_that_have(monkeypatch, begun):
    submit, trainers, submitted = ThreadPoolExecutor.submit, [], []

    def submit_or_raise(*arguments):
        if len(submitted) == begun:
            raise KeyboardInterrupt
        submitted.append(arguments)
        return submit(*arguments)

    def trainer_of(model):
        trainers.append(make_trainer(model))
        return trainers[-1]

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_or_raise)
    with pytest.raises(KeyboardInterrupt):
        nn.Ensemble(make_model, 3).fit(trainer_of, X, CLASSES, epochs=20_000, workers=2)
    assert max(len(trainer.history) for trainer in trainers) < 20_000


def test_without_joblib_processes_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnlayers\[sklearn\]"'):
        nn.Ensemble(make_model, 2).fit(make_trainer, X, CLASSES, **FIT, backend="processes")


SHARED = nn.ReLU()
SHARED_LOSS = nn.MeanSquaredError()


def of(model, loss):
    return nn.Trainer(model, loss, nn.optim.SGD(model.parameters(), lr=0.1))


def fit(**changed):
    arguments = {"make_trainer": make_trainer, "X": X, "y": CLASSES, "epochs": 1} | changed
    nn.Ensemble(make_model, 2).fit(**arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Ensemble(3, 2), TypeError, "make_model must be a function, got 3"),
        (lambda: nn.Ensemble(make_model, 0), ValueError, "members must be an integer of at least"),
        (lambda: nn.Ensemble(make_model, 10**9), ValueError, "members must be at most 10000, got"),
        (lambda: nn.Ensemble(lambda rng: 3, 2), TypeError, "each of make_model must be a Layer, g"),
        (lambda: nn.Ensemble(lambda rng: SHARED, 2), ValueError, "make_model must have layers of"),
        (lambda: nn.Ensemble.of([]), ValueError, "models must hold at least one layer, got none"),
        (lambda: nn.Ensemble.of(SHARED), TypeError, "models must be a list of layers, got ReLU"),
        (lambda: nn.Ensemble.of([SHARED], outputs="logits"), ValueError, "outputs must be 'value"),
        (lambda: fit(make_trainer=None), TypeError, "make_trainer must be a function, got None"),
        (lambda: fit(make_trainer=lambda m: m), TypeError, "what make_trainer returns must be a T"),
        (lambda: fit(make_trainer=lambda m: OTHER), ValueError, "make_trainer must return a train"),
        (lambda: fit(make_trainer=lambda m: of(m, SHARED_LOSS)), ValueError, "make_trainer must m"),
        (lambda: fit(make_trainer=lambda m: of(m, nn.EnsembleLoss(SHARED_LOSS))), ValueError, "got "
         r"MeanSquaredError\(\) twice"),
        (lambda: fit(workers=0), ValueError, "workers must be an integer of at least 1, got 0"),
        (lambda: fit(backend="gpu"), ValueError, "backend must be 'threads' or 'processes', got"),
        (lambda: fit(epochs=0), ValueError, "epochs must be an integer of at least 1, got 0"),
        (lambda: nn.Ensemble(make_model, 2).predict(X, return_std=1), TypeError, "return_std must"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


OTHER = make_trainer(make_model(0))


def test_members_with_losses_of_several_kinds_are_refused():
    losses = iter([nn.SoftmaxCrossEntropy(), nn.MeanSquaredError()])

    def trainer_of(model):
        return nn.Trainer(model, next(losses), nn.optim.SGD(model.parameters(), lr=0.1))

    with pytest.raises(ValueError, match=r"one kind of loss, got \['classes', 'values'\]"):
        fit(make_trainer=trainer_of)
