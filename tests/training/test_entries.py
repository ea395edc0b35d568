"""Trainers and callbacks say what they are made of."""

import numpy as np
import pytest
from scripted import X, Y, trainer_with

import nnlayers as nn
from nnlayers import callbacks
from nnlayers.training import Trainer


def lines_of(trainer):
    first, *entries, last = repr(trainer).splitlines()
    assert (first, last) == ("Trainer(", ")")
    return dict(line.strip().split(": ", 1) for line in entries)


def test_a_trainer_names_its_parts_and_how_far_it_is():
    model = nn.Sequential(nn.Affine(1, 3, rng=0), nn.Sequential(nn.Dropout(0.1), nn.Affine(3, 1)))
    trainer = Trainer(
        model,
        nn.Huber(delta=2.0),
        nn.optim.SGD(model.parameters(), lr=0.1),
        metrics=["mae"],
        callbacks=[callbacks.EarlyStopping("loss", patience=3)],
        engine="numpy",
    )
    entries = lines_of(trainer)
    assert entries["model"] == "Sequential of 3 layers, 10 weights"
    assert entries["loss"] == "Huber(delta=2.0)"
    assert entries["metrics"] == "mae"
    assert entries["callbacks"] == "EarlyStopping(monitor='loss', patience=3, mode='min')"
    assert entries["engine"] == "numpy"
    assert entries["trained"] == "0 epochs"
    trainer.fit(X, Y, epochs=2)
    assert lines_of(trainer)["trained"].startswith("2 epochs, loss=")
    assert trainer._repr_html_().count("<tr>") == len(entries)


def test_a_trainer_of_several_outputs_names_their_losses_and_metrics():
    x = nn.Input("x")
    a, b = nn.Affine(1, 1)(x).named("a"), nn.Affine(1, 2)(x).named("b")
    graph = nn.Graph([a, b])
    trainer = Trainer(
        graph,
        {"a": nn.MeanSquaredError(), "b": nn.SoftmaxCrossEntropy()},
        nn.optim.SGD(graph.parameters(), lr=0.1),
        metrics={"b": ["accuracy"]},
    )
    entries = lines_of(trainer)
    assert entries["loss"] == "{'a': MeanSquaredError(), 'b': SoftmaxCrossEntropy()}"
    assert entries["metrics"] == "accuracy_b"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (callbacks.Callback, "Callback()"),
        (callbacks.EarlyStopping, "EarlyStopping(mode='min')"),
        (lambda: callbacks.CSVLogger("a.csv", sync=True), "CSVLogger('a.csv', sync=True)"),
        (lambda: callbacks.Checkpoint("a", monitor=None), "Checkpoint('a', monitor=None)"),
        (
            lambda: callbacks.ReduceOnPlateau("loss", factor=0.5, eps=0.0),
            "ReduceOnPlateau(monitor='loss', factor=0.5, mode='min', eps=0.0)",
        ),
        (lambda: callbacks.LambdaCallback(on_fit_end=print), "LambdaCallback(on_fit_end=<built-in"),
    ],
)
def test_a_callback_shows_the_call_that_makes_it(make, text):
    assert repr(make()).startswith(text)
    assert type(make()).__name__ in make()._repr_html_()


def test_a_callback_that_holds_its_trainer_and_arrays_can_be_shown():
    class Mine(callbacks.Callback):
        def __init__(self, weights=None):
            self.weights = weights

        def on_fit_start(self, trainer):
            self.weights = trainer

    mine = Mine()
    trainer = trainer_with(mine)
    trainer.fit(X, Y, epochs=1)
    assert "Mine(weights=" in repr(trainer)
    assert "Mine" in mine._repr_html_()
    assert len(lines_of(trainer_with(Mine(np.zeros(10_000))))["callbacks"]) < 300
