"""A trainer tells why NumPy trains instead of the compiled engine, which is refused likewise."""

import copy
import pickle

import numpy as np
import pytest

import nnlayers as nn
import nnlayers.engine.engine
from nnlayers.training.callbacks import LambdaCallback

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3


def trainer_of(*layers, engine="auto", loss=None, model=None, **options):
    model = model or nn.Sequential(nn.Affine(3, 3, rng=0), *layers)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    return nn.Trainer(model, loss or nn.SoftmaxCrossEntropy(), optimizer, engine=engine, **options)


def shared():
    layers = nn.Affine(3, 3, rng=0), nn.Affine(3, 3, rng=1)
    layers[1].W = layers[0].W
    return nn.Sequential(*layers)


class OwnLoss(nn.MeanSquaredError):
    pass


RELU = nn.ReLU()
UNKNOWN = {
    "the loss OwnLoss": {
        "model": nn.Sequential(nn.Affine(3, 3, rng=0), nn.Reshape((3, 1))),
        "loss": nn.EnsembleLoss(OwnLoss()),
    },
    "the layer Power": {"model": nn.Sequential(nn.Affine(3, 3, rng=0), nn.Power(2.0))},
    "the layer Graph": {"model": nn.Graph(nn.Affine(3, 3, rng=0)(nn.Input("x")))},
    "the layer Mean": {
        "model": nn.Sequential(nn.Affine(3, 3, rng=0), nn.Mean(axis=0, keepdims=True))
    },
}
KNOWN_IN_A_FIT = {
    "the input of shape (3,) of Softmax(axis=0)": {
        "model": nn.Sequential(nn.Affine(3, 3, rng=0), nn.Softmax(axis=0))
    },
    "a layer that several nodes of a graph use": {
        "model": nn.Sequential(nn.Affine(3, 3, rng=0), nn.Graph(RELU(RELU(nn.Input("x")))))
    },
    "the parameter Parameter('W', shape=(3, 3), dtype=float32), which is used twice": {
        "model": shared()
    },
    "callbacks that act at each step": {"callbacks": [LambdaCallback(on_step_end=lambda t: None)]},
}


def fit(trainer):
    trainer.fit(X, Y, epochs=1, batch_size=4, rng=0)
    return trainer


@pytest.mark.parametrize(("part", "options"), UNKNOWN.items(), ids=UNKNOWN)
def test_an_unknown_layer_is_named_before_a_fit(part, options):
    pytest.importorskip("numba")
    if part == "the layer Mean":
        options = options | {"loss": nn.MeanSquaredError()}
    trainer = trainer_of(**options)
    assert trainer.engine == "numpy"
    assert trainer.engine_reason == f"the compiled engine does not know {part}"
    with pytest.raises(ValueError, match="does not know") as caught:
        trainer_of(engine="compiled", **options)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        ("model", "predict"),
        ("relu", "forward"),
        ("relu", "compute_forward"),
        ("relu", "derivative"),
        ("loss", "backward"),
        ("optimizer", "step"),
        ("optimizer", "update"),
    ],
)
def test_a_replaced_method_is_named_before_a_fit(owner, method):
    pytest.importorskip("numba")
    relu, loss = nn.ReLU(), nn.SoftmaxCrossEntropy()
    model = nn.Sequential(nn.Affine(3, 3, rng=0), relu)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    parts = {"model": model, "relu": relu, "loss": loss, "optimizer": optimizer}
    trainer = nn.Trainer(model, loss, optimizer)
    assert fit(trainer).engine == "compiled"
    original, calls = getattr(parts[owner], method), []
    setattr(parts[owner], method, lambda *args: (calls.append(owner), original(*args))[1])
    part = f"the replaced method {method!r} of {type(parts[owner]).__name__}"
    assert trainer.engine_reason == f"the compiled engine does not know {part}"
    with pytest.raises(ValueError, match=f"engine='compiled' does not know {part}: "):
        nn.Trainer(model, loss, optimizer, engine="compiled")
    fit(trainer)
    assert calls or method == "predict"


@pytest.mark.parametrize(("part", "options"), KNOWN_IN_A_FIT.items(), ids=KNOWN_IN_A_FIT)
def test_what_only_a_fit_shows_is_named_by_it(part, options):
    pytest.importorskip("numba")
    trainer = fit(trainer_of(**options))
    assert trainer.engine == "numpy"
    assert trainer.engine_reason == f"the compiled engine does not know {part}"
    with pytest.raises(ValueError, match="does not know") as caught:
        fit(trainer_of(engine="compiled", **options))
    assert str(caught.value) == (
        f"engine='compiled' does not know {part}: engine='auto' trains it with NumPy"
    )


def test_a_fit_without_the_unknown_part_is_compiled_again():
    pytest.importorskip("numba")
    trainer = fit(trainer_of(callbacks=[LambdaCallback(on_step_end=lambda t: None)]))
    trainer.callbacks.clear()
    assert fit(trainer).engine == "compiled"
    assert trainer.engine_reason is None


def test_a_graph_of_several_outputs_is_named():
    pytest.importorskip("numba")
    x = nn.Input("x")
    model = nn.Graph([nn.Affine(3, 3)(x).named("a"), nn.Affine(3, 3)(x).named("b")])
    loss = {"a": nn.SoftmaxCrossEntropy(), "b": nn.SoftmaxCrossEntropy()}
    reason = "the compiled engine does not know the layer Graph"
    assert trainer_of(model=model, loss=loss).engine_reason == reason
    with pytest.raises(ValueError, match="does not know the layer Graph: "):
        trainer_of(model=model, loss=loss, engine="compiled")


def test_whoever_asks_for_numpy_is_given_no_reason():
    assert trainer_of(nn.Power(2.0), engine="numpy").engine_reason is None


def test_what_the_machine_lacks_is_named(monkeypatch):
    monkeypatch.setattr(nnlayers.engine.engine, "has_numba", lambda: False)
    problem = 'Numba is not installed: pip install "nnlayers[fast]"'
    assert trainer_of().engine_reason == problem
    with pytest.raises(ImportError, match="engine='compiled' cannot run here: Numba is not"):
        trainer_of(engine="compiled")
    monkeypatch.undo()
    pytest.importorskip("numba")
    monkeypatch.setattr(nnlayers.engine.engine, "find_gemm", lambda: None)
    problem = "this build of NumPy has no BLAS whose matrix products can be called"
    assert fit(trainer_of()).engine_reason == problem
    with pytest.raises(ImportError, match=problem):
        trainer_of(engine="compiled")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_and_pickles_of_a_trainer_go_on_as_it_does(duplicate):
    pytest.importorskip("numba")
    trainer = fit(trainer_of(nn.ReLU(), nn.Dropout(0.2, rng=1), engine="compiled"))
    trainer.step(X[:4], Y[:4])
    twin = duplicate(trainer)
    fit(trainer).step(X[:4], Y[:4])
    fit(twin).step(X[:4], Y[:4])
    assert twin.engine == "compiled"
    for name, array in trainer.state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[name], array)
